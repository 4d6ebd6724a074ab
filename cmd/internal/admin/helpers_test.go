package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// evil is what a stranger may write where a text is allowed.
const evil = `<script>alert(1)</script><img/src=x/onerror=alert(1)>"'{{.}}` + "\u202e"

// address is instance n of a fleet, from 0.
func address(n int) string { return fmt.Sprintf("192.0.2.%d:%d", n%250+1, 8897+n/250) }

// newFleet returns a registry of n servers, which say everything that a server can say.
func newFleet(n int) *mem.Registry {
	registry := mem.NewRegistry()
	for i := range n {
		weight := 100
		if i%7 == 3 {
			weight = 50
		}
		registry.PutEntry(address(i), policy.Attributes{
			Weight: &weight,
			Zone:   fmt.Sprintf("eu-1%c", 'a'+i%3),
			Tags: map[string]string{"version": fmt.Sprintf("2.%d", i%2),
				"rack": fmt.Sprint(i % 40)},
			Since: time.Now().Add(-time.Duration(i*i+3) * time.Minute),
		})
	}
	return registry
}

// aPolicy drains, weighs, and has lines that are wrong in every way.
func aPolicy() string {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	return policy.Header + "\n" +
		"drain " + address(1) + " until=" + in(3*time.Hour) + ` by=ops reason="rack 7 is moved"` +
		"\n" +
		"withdraw " + address(2) + ` by=ann` + "\n" +
		"weight zone=eu-1a 80\n" +
		"drain 203.0.113.7:8897 by=ops\n" +
		"drain everything\n" +
		"weight 192.0.2.1 5000\n" +
		"drain 192.0.2.77 until=" + in(-time.Hour) + "\n"
}

// directory is a Directory of a registry in memory.
func directory(registry *mem.Registry) Directory {
	return Directory{Registry: "zk://zk1.example.com,zk2.example.com/go_servers",
		Follow: func() (*sd.Instancer, func()) {
			backend := registry.Open()
			i := sd.NewInstancer(backend, kitlog.NewNopLogger(), sd.FollowPolicy())
			return i, func() { i.Stop(); backend.Close() }
		}}
}

// listeners are three servers of a process, one in each state.
func listeners() []Listener {
	registration := func(phase sd.Phase, since time.Duration, err error) []Registration {
		return []Registration{{"zk://zk1.example.com,zk2.example.com/go_servers",
			sd.State{Phase: phase, Since: time.Now().Add(-since).Truncate(time.Second), Err: err}}}
	}
	return []Listener{
		{address(0), address(0), 2, 48201, registration(sd.Registered, 3*time.Hour, nil)},
		{address(1), address(1), 0, 1208, registration(sd.Lost, 95*time.Second,
			errors.New("zk: no session: dial tcp 192.0.2.251:2181: connect: connection refused"))},
		{address(2), "[::]:8897", 0, 7, registration(sd.Withheld, 26*time.Hour,
			errors.New("withdrawn by line 3 of the policy"))},
	}
}

// members are those of a pool, one in each state.
func members() []lb.Stat {
	now := time.Now().Truncate(time.Second)
	return []lb.Stat{
		{Instance: address(0), State: "listed", Requests: 4012, Failures: 2, InFlight: 3,
			Mean: 1340 * time.Microsecond, Max: 88 * time.Millisecond},
		{Instance: address(1), State: "ejected", Requests: 12, Failures: 9, Ejections: 4,
			Failing: true,
			Until:   now.Add(14 * time.Second), Cause: "refused",
			Err: fmt.Errorf("dial tcp %s: connect: %w", address(1), syscall.ECONNREFUSED)},
		{Instance: address(2), State: "drained", Requests: 377, Mean: 900 * time.Microsecond,
			Max: time.Millisecond},
		{Instance: address(3), State: "reserve", Requests: 90, Mean: 2 * time.Millisecond,
			Max: 3 * time.Millisecond, Until: now.Add(33 * time.Second)},
		{Instance: address(4), State: "listed", Warming: true, Until: now.Add(6 * time.Second)},
		{Instance: address(5), State: "listed", Failing: true, Requests: 5, Failures: 1,
			Max:  2200 * time.Millisecond,
			Mean: time.Second},
		{Instance: address(6), State: "pending"},
		{Instance: address(7), State: "gone", Requests: 3},
	}
}

// ask is the answer of s to a request, whose peer is on loopback.
func ask(s *Server, method, target string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.RemoteAddr = "127.0.0.1:9867", "127.0.0.1:4711"
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	return w.Result()
}

// header returns a change of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// body is the text of an answer with a code.
func body(t testing.TB, r *http.Response, code int) string {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.StatusCode != code {
		t.Errorf("want %d, have %s: %.300s", code, r.Status, text)
	}
	return string(text)
}

// wantText wants have to hold every one of wants, and none of those that begin with "!". The style
// and the script of a page do not count.
func wantText(t testing.TB, have string, wants ...string) {
	t.Helper()
	have = strings.Replace(strings.Replace(have, styleText, "", 1), scriptText, "", 1)
	for _, want := range wants {
		if text, not := strings.CutPrefix(want, "!"); not == strings.Contains(have, text) {
			t.Errorf("want %q to be there: %v; have\n%.4000s", text, !not, have)
		}
	}
}
