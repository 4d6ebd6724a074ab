package acl

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The id is that of DigestAuthenticationProvider, as "super:test" in ZooKeeper's documentation.
func ExampleList_Rights() {
	list := List{{31, "digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="}}
	fmt.Println(list.Rights(ParseUser("super:test\n")))
	// Output: user super may register servers and write the policy false
}

func TestRights(t *testing.T) {
	const right, other = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=", "super:AAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, test := range []struct {
		list  List
		want  string
		wrong bool
	}{
		{List{{31, "digest", other}}, "user super is in the ACL with another password", true},
		{List{{31, "digest", other}, {31, "digest", right}}, // while the password is changed
			"user super may register servers and write the policy", false},
		{List{{Write, "digest", right}, {Read, "world", "anyone"}},
			"user super may write the policy, and not register servers", false},
		{List{{Create | Delete, "digest", right}},
			"user super may register servers, and not write the policy", false},
		{List{{31, "world", "anyone"}}, "user super may register servers and write the policy", false},
		{List{{31, "digest", "superb:x"}, {Read, "world", "anyone"}},
			"the ACL lets user super neither register servers nor write the policy", true},
	} {
		if have, wrong := test.list.Rights(ParseUser("super:test")); have != test.want || wrong != test.wrong {
			t.Errorf("%v: want %q, %t, have %q, %t", test.list, test.want, test.wrong, have, wrong)
		}
	}
}
