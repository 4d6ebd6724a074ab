package zk

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

// A predecessor's node is what this host wrote for the same address. When in doubt it is somebody
// else's.
func TestIsPredecessor(t *testing.T) {
	us := identity{Host: "boot", Process: 7, Start: time.Unix(0, 0)}
	for name, c := range map[string]struct {
		us   identity
		data string
		want bool
	}{
		"our own":            {us, string(us.at(alice)), true},
		"another process":    {us, `{"host":"boot","address":"192.0.2.1:8897","process":99}`, true},
		"less is enough":     {us, `{"host":"boot","address":"192.0.2.1:8897"}`, true},
		"more is fine":       {us, `{"host":"boot","address":"192.0.2.1:8897","weight":3}`, true},
		"claimed, and it is": {us, string(us.claiming(alice, 7)), true},
		"claim of another":   {us, string(us.claiming(alice, 8)), false},
		"another host":       {us, `{"host":"other","address":"192.0.2.1:8897"}`, false},
		"another address":    {us, `{"host":"boot","address":"192.0.2.2:8897"}`, false},
		"no address":         {us, `{"host":"boot"}`, false},
		"no host":            {us, `{"address":"192.0.2.1:8897"}`, false},
		"empty host":         {us, `{"host":"","address":"192.0.2.1:8897"}`, false},
		"we have no host":    {identity{}, `{"host":"","address":"192.0.2.1:8897"}`, false},
		"no host, and host":  {identity{}, string(us.at(alice)), false},
		"empty":              {us, ``, false},
		"null":               {us, `null`, false},
		"text":               {us, `hello`, false},
		"list":               {us, `[]`, false},
		"number for host":    {us, `{"host":1,"address":"192.0.2.1:8897"}`, false},
		"something after it": {us, string(us.at(alice)) + "x", false},
		"huge":               {us, strings.Repeat("[", 1<<20), false},
		"go-kit's data":      {us, alice, false},
	} {
		if have := c.us.isPredecessor([]byte(c.data), alice, 7); have != c.want {
			t.Errorf("%s: want %t, have %t", name, c.want, have)
		}
	}
}

// The data of a node is a small JSON document.
func TestIdentityAt(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	have := string(identity{Host: "boot", Process: 7, Start: start}.at(alice))
	if want := `{"host":"boot","address":"192.0.2.1:8897","process":7,"start":"2026-01-02T03:04:05Z"}`; have != want {
		t.Errorf("want %s, have %s", want, have)
	}
	us := newIdentity()
	if us.Process != os.Getpid() || us.Address != "" || us.Host != hostID() {
		t.Errorf("want this process, have %+v", us)
	}
	var back identity
	if err := json.Unmarshal(us.at(bob), &back); err != nil || back.Address != bob || !back.Start.Equal(us.Start) {
		t.Errorf("want what was written, have %+v, %v", back, err)
	}
}

func TestIsEphemeral(t *testing.T) {
	if isEphemeral(&gozk.Stat{}) || !isEphemeral(&gozk.Stat{EphemeralOwner: 1}) || !isEphemeral(&gozk.Stat{EphemeralOwner: -1}) {
		t.Error("want a node ephemeral if it has an owner, whatever its number")
	}
}

func FuzzIsPredecessor(f *testing.F) {
	us := identity{Host: "boot"}
	f.Add(us.at(alice))
	f.Add([]byte(`{"host":"boot"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if us.isPredecessor(data, alice, 7) && !(strings.Contains(string(data), "boot") || strings.Contains(string(data), `\u`)) {
			t.Errorf("%q is not a predecessor's", data)
		}
		if (identity{}).isPredecessor(data, alice, 7) {
			t.Errorf("%q: without a host nothing is ours", data)
		}
	})
}
