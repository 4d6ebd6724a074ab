package credentials

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The id is that of DigestAuthenticationProvider, as "super:test" in ZooKeeper's documentation.
func Example() {
	u := Parse("super:test\n")
	u.Add(31, "digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
	fmt.Println(u.Rights())
	// Output: user super may register servers and write the policy false
}

func TestRights(t *testing.T) {
	const right, other = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=", "super:AAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, test := range []struct {
		entries []string // scheme, id, in pairs
		perms   []int32
		want    string
		wrong   bool
	}{
		{[]string{"digest", other}, []int32{31}, "user super is in the ACL with another password", true},
		{[]string{"digest", right, "world", "anyone"}, []int32{write, 1}, "user super may write the policy, and not register servers", false},
		{[]string{"digest", right}, []int32{create | 8}, "user super may register servers, and not write the policy", false},
		{[]string{"world", "anyone"}, []int32{31}, "user super may register servers and write the policy", false},
		{[]string{"digest", "superb:x", "world", "anyone"}, []int32{31, 1}, "the ACL lets user super neither register servers nor write the policy", true},
	} {
		u := Parse("super:test")
		for i, perms := range test.perms {
			u.Add(perms, test.entries[2*i], test.entries[2*i+1])
		}
		if have, wrong := u.Rights(); have != test.want || wrong != test.wrong {
			t.Errorf("%v: want %q, %t, have %q, %t", test.entries, test.want, test.wrong, have, wrong)
		}
	}
}
