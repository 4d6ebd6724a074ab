package zkdev

import "testing"

func TestDigest(t *testing.T) {
	// The second field is what
	// org.apache.zookeeper.server.auth.DigestAuthenticationProvider prints.
	for secret, want := range map[string]string{
		"super:admin": "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=",
	} {
		if have := digest(secret).id; have != want {
			t.Errorf("%s: have %s, want %s", secret, have, want)
		}
	}
}

func TestPermits(t *testing.T) {
	bob, eve := digest("bob:x"), digest("eve:x")
	list := []acl{{permRead, anyone}, {permWrite | permAdmin, bob}, {permDelete, identity{"ip", "10.1.0.0/16"}}, {permCreate, identity{"ip", "::1"}}}
	for _, c := range []struct {
		perm int32
		ids  []identity
		want bool
	}{
		{permRead, nil, true},
		{permWrite, nil, false},
		{permWrite, []identity{bob}, true},
		{permWrite, []identity{eve}, false},
		{permWrite, []identity{eve, bob}, true},
		{permCreate, []identity{bob}, false},
		{permCreate, []identity{{"ip", "::1"}}, true},
		{permDelete, []identity{{"ip", "10.1.2.3"}}, true},
		{permDelete, []identity{{"ip", "10.2.2.3"}}, false},
		{permDelete | permWrite, []identity{bob}, true},
		{permDelete, []identity{{"digest", "10.1.2.3"}}, false},
	} {
		if have := permits(list, c.perm, c.ids); have != c.want {
			t.Errorf("%d for %v: have %v, want %v", c.perm, c.ids, have, c.want)
		}
	}
}
