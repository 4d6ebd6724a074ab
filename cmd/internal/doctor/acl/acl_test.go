package acl

import (
	"fmt"
	"testing"
)

func Example() {
	list := List{{Read, "world", "anyone"}, {Write | Admin, "digest", "operator:hash"},
		{Create | Delete, "digest", "server:hash"}}
	fmt.Println(list)
	fmt.Println(list.Who(Write))
	all, open := list.Perms()
	fmt.Printf("somebody may %s, anybody: %q\n", Words(all), Words(open))
	// Output:
	// world:anyone:r, digest:operator:wa, digest:server:cd
	// digest:operator
	// somebody may register servers, delete servers, write the policy and change the ACL, anybody: ""
}

func TestPerms(t *testing.T) {
	for _, test := range []struct {
		entry     Entry
		all, open int32
	}{
		{Entry{Read, "world", "anyone"}, Read, Read},
		{Entry{Write, "ip", "0.0.0.0/0"}, Write, Write},
		{Entry{Write, "ip", "10.0.0.0/8"}, Write, 0},
		{Entry{Admin, "x509", "CN=a"}, Admin, 0},
	} {
		if all, open := (List{test.entry}).Perms(); all != test.all || open != test.open {
			t.Errorf("%v: want %d and %d, have %d and %d", test.entry, test.all, test.open, all, open)
		}
	}
	if have := (List{}).Who(Write); have != "nobody" {
		t.Errorf("want nobody, have %s", have)
	}
}
