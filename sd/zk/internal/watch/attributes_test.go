package watch

import (
	"slices"
	"testing"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
)

// What cannot be read stays told while something else that the instance says changes.
func TestUnreadBesideNews(t *testing.T) {
	in := func(zone string) statement {
		return statement{Attributes: policy.Attributes{Zone: zone}, unread: true}
	}
	for _, test := range []struct {
		name        string
		now, before statement
		told        bool
		unread      []string
	}{
		{"the same", in("a"), in("a"), false, nil},
		{"another zone", in("b"), in("a"), true, []string{alice}},
		{"new", in("a"), statement{}, true, []string{alice}},
		{"readable again", statement{}, in(""), true, nil},
	} {
		var c sd.Change
		add(&c, alice, test.now, test.before)
		if _, told := c.Attributes[alice]; told != test.told || !slices.Equal(c.Unread, test.unread) {
			t.Errorf("%s: want %t and %v, have %+v", test.name, test.told, test.unread, c)
		}
	}
}
