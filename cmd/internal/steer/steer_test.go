package steer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const header = policy.Header + "\n"

// fleet has n servers of equal weight.
func fleet(n int) func() []policy.Entry {
	var entries []policy.Entry
	for i := range n {
		entries = append(entries, policy.Entry{Instance: fmt.Sprintf("192.0.2.%d:8897", i+1)})
	}
	return func() []policy.Entry { return entries }
}

// drain is the edit of a command that drains.
func drain(t testing.TB, selector string) steer.Edit {
	t.Helper()
	s, err := policy.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return func(before policy.Document, _ int64, now time.Time) (policy.Document, error) {
		return before.Set(policy.Rule{Verb: policy.Drain, Selector: s}, now)
	}
}

// undrain is its opposite.
func undrain(t testing.TB, selector string) steer.Edit {
	t.Helper()
	s, err := policy.ParseSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return func(before policy.Document, _ int64, _ time.Time) (policy.Document, error) {
		after, _ := before.Remove(s, policy.Drain)
		return after, nil
	}
}

func open(t testing.TB, r *mem.Registry) *mem.Backend {
	t.Helper()
	b := r.Open()
	t.Cleanup(func() { b.Close() })
	return b
}

func wantPolicy(t testing.TB, store sd.PolicyStore, want string) {
	t.Helper()
	if have, _, err := store.ReadPolicy(t.Context()); have != want || err != nil {
		t.Errorf("want the policy %q, have %q, %v", want, have, err)
	}
}

// Two operators with 200 edits each: every edit stands.
func TestNoEditIsLost(t *testing.T) {
	const edits = 200
	registry := mem.NewRegistry()
	var operators sync.WaitGroup
	for o := range 2 {
		desk := steer.Desk{Store: open(t, registry), Fleet: fleet(1)}
		operators.Go(func() {
			for n := range edits {
				address := fmt.Sprintf("198.51.%d.%d:8897", 100+o, n+1)
				outcome, err := desk.Do(t.Context(), drain(t, address))
				if err != nil || !outcome.Written {
					t.Errorf("%s: want it written, have %+v, %v", address, outcome, err)
				}
			}
		})
	}
	operators.Wait()
	text, _, err := open(t, registry).ReadPolicy(t.Context())
	if have := strings.Count(text, "\ndrain "); have != 2*edits || err != nil {
		t.Errorf("want %d lines, have %d, %v", 2*edits, have, err)
	}
}

// Half of the weight must be left. Every edit is judged by what stands when it is written.
func TestRefusesToLeaveLessThanHalf(t *testing.T) {
	registry := mem.NewRegistry()
	store := open(t, registry)
	desk := steer.Desk{Store: store, Fleet: fleet(4)}
	for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
		if _, err := desk.Do(t.Context(), drain(t, address)); err != nil {
			t.Errorf("%s: want it done, have %v", address, err)
		}
	}
	two := header + "drain 192.0.2.1\ndrain 192.0.2.2\n"
	outcome, err := desk.Do(t.Context(), drain(t, "192.0.2.3"))
	want := "refused: this leaves 25.0% of the weight; want half of it, or --force"
	if !errors.Is(err, steer.ErrRefused) || err.Error() != want || outcome.Written {
		t.Errorf("want %q, have %v", want, err)
	}
	wantPolicy(t, store, two)

	desk.DryRun = true
	if outcome, err = desk.Do(t.Context(), drain(t, "192.0.2.3")); err != nil ||
		!outcome.Impact.Refused {
		t.Errorf("want the dry run to tell it, have %+v, %v", outcome.Impact, err)
	}
	wantPolicy(t, store, two)

	desk.DryRun, desk.Force = false, true
	if _, err = desk.Do(t.Context(), drain(t, "192.0.2.3")); err != nil {
		t.Errorf("want it forced, have %v", err)
	}
	wantPolicy(t, store, two+"drain 192.0.2.3\n")
}

// Those that were withdrawn have left the list, and count all the same.
func TestWithdrawnOnesCount(t *testing.T) {
	registry := mem.NewRegistry()
	registry.SetPolicy(header + "withdraw 192.0.2.3:8897\nwithdraw 192.0.2.4:8897\n" +
		"withdraw 192.0.2.5:8897 until=2020-01-01T00:00:00Z\n")
	desk := steer.Desk{Store: open(t, registry), Fleet: fleet(2)}
	outcome, err := desk.Do(t.Context(), drain(t, "192.0.2.1"))
	if !errors.Is(err, steer.ErrRefused) || outcome.Impact.Instances != 4 {
		t.Errorf("want it refused, have %+v, %v", outcome.Impact, err)
	}
	outcome, err = desk.Do(t.Context(), func(before policy.Document, _ int64,
		_ time.Time) (policy.Document, error) {
		s, err := policy.ParseSelector("192.0.2.3:8897")
		after, _ := before.Remove(s, policy.Withdraw)
		return after, err
	})
	if want := "  192.0.2.3:8897: withdrawn -> undrained\nleaves 75.0% of the " +
		"weight\n"; err != nil || !strings.HasSuffix(outcome.String(), want) {
		t.Errorf("want %q, have %q, %v", want, outcome, err)
	}
}

// Those that are withdrawn by another selector are in no count, and it is said.
func TestUncountedOnesAreTold(t *testing.T) {
	const told = "withdrawn servers are not registered, and not counted: "
	for _, test := range []struct{ policy, want string }{
		{"withdraw zone=b by=root", told + "line 2 withdraw zone=b\n"},
		{"withdraw * until=2020-01-01T00:00:00Z\nwithdraw 192.0.2.3:8897\nweight * 5", ""},
		{"withdraw 192.0.2.9\nwithdraw v=2\nwithdraw 192.0.2.9:1\nwithdraw v=3\nwithdraw v=4\n" +
			"withdraw 198.51.100.0/24",
			told + "line 2 withdraw 192.0.2.9, line 3 withdraw v=2, line 5 withdraw v=3, and 2 " +
				"more lines\n"},
	} {
		registry := mem.NewRegistry()
		registry.SetPolicy(header + test.policy + "\n")
		desk := steer.Desk{Store: open(t, registry), Fleet: fleet(4), DryRun: true}
		outcome, err := desk.Do(t.Context(), drain(t, "192.0.2.1"))
		_, have, _ := strings.Cut(outcome.String(), "of the weight\n")
		if have != test.want || err != nil {
			t.Errorf("%q: want %q, have %q, %v", test.policy, test.want, have, err)
		}
	}
}

func TestWhatIsNoPolicyIsReplacedByForceAlone(t *testing.T) {
	registry := mem.NewRegistry()
	registry.SetPolicy("a stranger's")
	desk := steer.Desk{Store: open(t, registry), Fleet: fleet(4)}
	if _, err := desk.Do(t.Context(), drain(t, "192.0.2.1")); !errors.Is(err,
		policy.ErrUnreadable) {
		t.Errorf("want it refused, have %v", err)
	}
	wantPolicy(t, desk.Store, "a stranger's")
	desk.Force = true
	if _, err := desk.Do(t.Context(), drain(t, "192.0.2.1")); err != nil {
		t.Errorf("want it replaced, have %v", err)
	}
	wantPolicy(t, desk.Store, header+"drain 192.0.2.1\n")
}

// Lines that expired a day ago go with the next write, and nothing is written for them alone.
func TestPrunes(t *testing.T) {
	registry := mem.NewRegistry()
	old := header + "drain 192.0.2.9 until=2020-01-01T00:00:00Z\n"
	registry.SetPolicy(old)
	desk := steer.Desk{Store: open(t, registry), Fleet: fleet(4)}
	outcome, err := desk.Do(t.Context(), undrain(t, "192.0.2.1"))
	if err != nil || outcome.Changed() || outcome.Written || outcome.String() != "" {
		t.Errorf("want nothing to do, have %+v, %v", outcome, err)
	}
	wantPolicy(t, desk.Store, old)
	outcome, err = desk.Do(t.Context(), drain(t, "192.0.2.1"))
	want := "- drain 192.0.2.9 until=2020-01-01T00:00:00Z\n+ drain 192.0.2.1\n" +
		"affects 1 of 4 instances, which get 25.0% of the calls, and 0.0% after\n" +
		"  192.0.2.1:8897: undrained -> drained\nleaves 75.0% of the weight\n"
	if outcome.String() != want || err != nil {
		t.Errorf("want\n%s\nhave\n%s, %v", want, outcome, err)
	}
}

// A faultyStore is a store whose writes are answered as a test says.
type faultyStore struct {
	sd.PolicyStore
	write func(ctx context.Context, document string, version int64) error
	read  error
}

func (s *faultyStore) WritePolicy(ctx context.Context, document string, version int64) error {
	return s.write(ctx, document, version)
}

func (s *faultyStore) ReadPolicy(ctx context.Context) (string, int64, error) {
	if s.read != nil {
		return "", 0, s.read
	}
	return s.PolicyStore.ReadPolicy(ctx)
}

var errCut = errors.New("connection lost")

// A write whose answer was lost is looked at again: it stands, perhaps under another one's, or it
// is made again.
func TestAnswerIsLost(t *testing.T) {
	for _, test := range []struct {
		name, after string // after: the policy that is there when it is read again; empty: as it is
		lands       bool
		edit        func(testing.TB, string) steer.Edit
		want        string
	}{
		{"it stands", "", true, drain, header + "drain 192.0.2.9\ndrain 192.0.2.1\n"},
		{"it is lost", "", false, drain, header + "drain 192.0.2.9\ndrain 192.0.2.1\n"},
		{"somebody wrote after it", header + "drain 192.0.2.9\ndrain 192.0.2.1\ndrain 192.0.2.2\n",
			true, drain,
			header + "drain 192.0.2.9\ndrain 192.0.2.1\ndrain 192.0.2.2\n"},
		{"somebody wrote instead", header + "drain 192.0.2.2\n", false, drain,
			header + "drain 192.0.2.2\ndrain 192.0.2.1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := mem.NewRegistry()
			registry.SetPolicy(header + "drain 192.0.2.9\n")
			store := &faultyStore{PolicyStore: open(t, registry)}
			writes := 0
			store.write = func(ctx context.Context, document string, version int64) error {
				if writes++; writes > 1 {
					return store.PolicyStore.WritePolicy(ctx, document, version)
				}
				if test.lands {
					store.PolicyStore.WritePolicy(ctx, document, version)
				}
				if test.after != "" {
					registry.SetPolicy(test.after)
				}
				return errCut
			}
			desk := steer.Desk{Store: store, Fleet: fleet(4)}
			outcome, err := desk.Do(t.Context(), test.edit(t, "192.0.2.1"))
			if err != nil || !outcome.Written {
				t.Errorf("want it written, have %+v, %v", outcome, err)
			}
			wantPolicy(t, store, test.want)
		})
	}
}

func TestGivesUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		write error
		want  error
		after time.Duration
	}{
		{"others are faster", sd.ErrOutdated, steer.ErrLost, 10 * time.Second},
		{"no answer to a write", errCut, steer.ErrUnsure, 10 * time.Second},
		{"not allowed", sd.ErrDenied, sd.ErrDenied, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &faultyStore{PolicyStore: open(t, mem.NewRegistry())}
				store.write = func(context.Context, string, int64) error { return test.write }
				begin := time.Now()
				outcome, err := steer.Desk{Store: store, Fleet: fleet(4)}.Do(t.Context(), drain(t,
					"192.0.2.1"))
				if !errors.Is(err, test.want) || !errors.Is(err, test.write) || outcome.Written {
					t.Errorf("want %v, have %+v, %v", test.want, outcome, err)
				}
				if have := time.Since(begin); have != test.after {
					t.Errorf("want the end after %v, have %v", test.after, have)
				}
			})
		})
	}
}

// A registry that cannot be read ends the run at once, and the timeout bounds each request.
func TestCannotBeRead(t *testing.T) {
	store := &faultyStore{PolicyStore: open(t, mem.NewRegistry()), read: errCut}
	if _, err := (steer.Desk{Store: store, Fleet: fleet(4)}).Do(t.Context(), drain(t,
		"*")); !errors.Is(err, errCut) {
		t.Errorf("want %v, have %v", errCut, err)
	}
	synctest.Test(t, func(t *testing.T) {
		store := &faultyStore{PolicyStore: open(t, mem.NewRegistry())}
		asked := 0
		store.write = func(ctx context.Context, _ string, _ int64) error {
			asked++
			<-ctx.Done()
			return ctx.Err()
		}
		desk := steer.Desk{Store: store, Fleet: fleet(4), Timeout: time.Second}
		if _, err := desk.Do(t.Context(), drain(t, "192.0.2.1")); !errors.Is(err,
			steer.ErrUnsure) || asked < 9 {
			t.Errorf("want %v after many requests, have %v after %d", steer.ErrUnsure, err, asked)
		}
	})
}

// An error of the edit ends the run as it is.
func TestEditFails(t *testing.T) {
	wrong := errors.New("wrong")
	desk := steer.Desk{Store: open(t, mem.NewRegistry()), Fleet: fleet(1)}
	_, err := desk.Do(t.Context(), func(policy.Document, int64, time.Time) (policy.Document,
		error) {
		return policy.Document{}, wrong
	})
	if err != wrong {
		t.Errorf("want %v, have %v", wrong, err)
	}
}

func Example() {
	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()
	fleet := func() []policy.Entry {
		return []policy.Entry{{Instance: "192.0.2.1:8897"}, {Instance: "192.0.2.2:8897"}}
	}
	selector, _ := policy.ParseSelector("192.0.2.1:8897")
	rule := policy.Rule{Verb: policy.Drain, Selector: selector, By: "ops", Reason: "rack 7"}
	outcome, err := steer.Desk{Store: backend, Fleet: fleet}.Do(context.Background(),
		func(before policy.Document, _ int64, now time.Time) (policy.Document, error) {
			return before.Set(rule, now)
		})
	fmt.Print(outcome)
	fmt.Println(outcome.Written, err)
	// Output:
	// + #daytime-policy 1
	// + drain 192.0.2.1:8897 by=ops reason="rack 7"
	// affects 1 of 2 instances, which get 50.0% of the calls, and 0.0% after
	//   192.0.2.1:8897: undrained -> drained
	// leaves 50.0% of the weight
	// true <nil>
}

// A policy of the greatest size can be written back from its own copy.
func TestLargestCopy(t *testing.T) {
	text := header + "drain *\n#"
	text += strings.Repeat("x", policy.MaxSize-len(text))
	document, err := policy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	next, err := steer.ParseNext("FILE", document.WithVersion(7).String(), false)
	if err != nil || !next.IsCopy() || next.Document.String() != text {
		t.Errorf("want the document, have %v", err)
	}
}
