package admin

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
)

func TestServersOfThisProcess(t *testing.T) {
	page := show(t, View{Listeners: func() []Listener {
		l := listeners()
		l[0].Registrations = append(l[0].Registrations,
			Registration{"etcd://a/b", sd.State{Phase: sd.Conflict, Since: time.Now(),
				Err: errors.New("taken")}})
		return append(l, Listener{Instance: "192.0.2.9:1", Addr: "192.0.2.9:1"})
	}})
	clock := regexp.MustCompile(`(\d+:\d\d:\d\d|\d+ \w+ (\d\d:\d\d|\d{4}))`)
	const zk = "zk://zk1.example.com,zk2.example.com/go_servers"
	for id, want := range map[string]string{
		address(0) + "-" + zk:      "192.0.2.1:8897 ● registered * 3 h ago " + zk + " 2 48,201",
		address(0) + "-etcd://a/b": "192.0.2.1:8897 ✕ conflict * 0 s ago etcd://a/b taken",
		address(2) + "-" + zk: "192.0.2.3:8897 listens on [::]:8897 ■ withheld * 26 h ago " +
			zk + " withdrawn by line 3 of the policy 0 7",
		"192.0.2.9:1-": "192.0.2.9:1 ○ nowhere 0 0",
	} {
		have := clock.ReplaceAllString(cells(page, "servers", id), "*")
		if want != have {
			t.Errorf("want %s\nhave %s", want, have)
		}
	}
	wantText(t, page, "<title>ready · daytimesvc", ">1 of 5<")
}

// Who registers nowhere lacks nothing.
func TestServersThatRegisterNowhere(t *testing.T) {
	page := show(t, View{Listeners: func() []Listener {
		return []Listener{{Instance: address(0), Addr: address(0)}, {Instance: address(1), Addr: address(1)}}
	}})
	wantText(t, page, "ready. Registered: nowhere.", "!0 of 2")
}

func TestPool(t *testing.T) {
	page := show(t, View{Members: members})
	for name, want := range map[string]string{
		address(0): "192.0.2.1:8897 ● ready 3 4,012 2 0 1.34 ms 88 ms",
		address(1): "192.0.2.2:8897 ✕ ejected * in 1* s refused: dial tcp 192.0.2.2:8897: " +
			"connect: connection refused 0 12 9 4",
		address(2): "192.0.2.3:8897 ■ drained 0 377 0 0 900 µs 1.00 ms",
		address(3): "192.0.2.4:8897 ◐ in reserve * in 3* s 0 90 0 0 2.00 ms 3.00 ms",
		address(4): "192.0.2.5:8897 ◔ slow start * in 5 s 0 0 0 0",
		address(5): "192.0.2.6:8897 ▲ failing 0 5 1 0 1.00 s 2.20 s",
		address(6): "192.0.2.7:8897 ○ pending 0 0 0 0",
		address(7): "",
	} {
		have := cells(page, "pool", name)
		have = regexp.MustCompile(`\d\d:\d\d:\d\d`).ReplaceAllString(have, "*")
		have = regexp.MustCompile(`in ([13])\d s`).ReplaceAllString(have, "in $1* s")
		if want != have {
			t.Errorf("want %s\nhave %s", want, have)
		}
	}
	wantText(t, page, "2 of 7 ready", "1 more left")
	wantText(t, show(t, View{Members: func() []lb.Stat { return nil }}), "nobody to ask",
		"Nobody is in the pool.")
	wantText(t, show(t, View{Members: func() []lb.Stat { return members()[1:3] }}),
		"nobody is ready")
}
