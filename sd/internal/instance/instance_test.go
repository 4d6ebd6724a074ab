package instance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/daytime/sd/internal/instance"
	"example.com/daytime/sd/policy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleSplit() {
	valid, strangers := instance.Split([]string{"192.0.2.1:13", "lock-1", "192.0.2.2:0"})
	fmt.Println(valid, strangers, instance.Refuse("192.0.2.2:0"))
	// Output:
	// [192.0.2.1:13] [lock-1 192.0.2.2:0] port 0 cannot be dialled
}

// Of those that are none the first are kept, and cut; all are counted.
func TestStrangers(t *testing.T) {
	var s, other instance.Strangers
	s.Add([]string{"d", "b", strings.Repeat("e", 1<<10)})
	kept := s.Names
	s.Add([]string{"a", "b"})
	if want, have := 100, len(kept[2]); want != have {
		t.Errorf("want %d bytes of a name, have %d", want, have)
	}
	other.Add([]string{"c"})
	s.Join(other)
	if want := []string{"a", "b", "c"}; !slices.Equal(want, s.Names) || s.Count != 6 {
		t.Errorf("want %q of 6, have %q of %d", want, s.Names, s.Count)
	}
	long := instance.Strangers{}
	for range 3 { // as when a list is read again
		long.Add([]string{strings.Repeat("e", 1<<10)})
	}
	if len(long.Names) != 1 || long.Count != 3 {
		t.Errorf("want one name that was left out 3 times, have %q, %d", long.Names, long.Count)
	}
	if kept[0] != "b" {
		t.Errorf("want a slice that was handed out left as it is, have %q", kept)
	}
}

// Attributes of strangers go, and the map that they came in is left as it is.
func TestAttributes(t *testing.T) {
	given := map[string]policy.Attributes{"192.0.2.1:13": {Zone: "a"}, "b": {Zone: "b"}}
	attributes, unread := instance.Attributes(given, []string{"192.0.2.2:13", "c"})
	if len(attributes) != 1 || attributes["192.0.2.1:13"].Zone != "a" || len(given) != 2 {
		t.Errorf("want those of the instance, have %v of %v", attributes, given)
	}
	if want := []string{"192.0.2.2:13"}; !slices.Equal(want, unread) {
		t.Errorf("want %q, have %q", want, unread)
	}
}
