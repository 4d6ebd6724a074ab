package zkdev

import (
	"slices"
	"testing"
)

func TestDigest(t *testing.T) {
	// testdata holds more hashes, as a real server has made them.
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
	list := []acl{{permRead, anyone}, {permWrite | permAdmin, bob},
		{permDelete, identity{"ip", "10.1.0.0/16"}}, {permCreate,
			identity{"ip", "::1"}}} // of which ZooKeeper knows no IPv6
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
		{permCreate, []identity{{"ip", "::1"}}, false},
		{permDelete, []identity{{"ip", "10.1.2.3"}}, true},
		{permDelete, []identity{{"ip", "10.2.2.3"}}, false},
		{permDelete, []identity{{"ip", "0:0:0:0:0:0:0:1"}}, false},
		{permDelete | permWrite, []identity{bob}, true},
		{permDelete, []identity{{"digest", "10.1.2.3"}}, false},
	} {
		if have := permits(list, c.perm, c.ids); have != c.want {
			t.Errorf("%d for %v: have %v, want %v", c.perm, c.ids, have, c.want)
		}
	}
}

// TestResolve gives ACLs that a client wants to set and what becomes of them.
func TestResolve(t *testing.T) {
	bob, eve := digest("bob:x"), digest("eve:x")
	auth := identity{"auth", ""}
	for name, c := range map[string]struct {
		list []acl
		ids  []identity
		want []acl
		code Code
	}{
		"nothing": {nil, nil, nil, InvalidACL},
		"open":    {openACL(), nil, openACL(), OK},
		"doubles": {[]acl{{1, anyone}, {1, anyone}, {2, anyone}}, nil,
			[]acl{{1, anyone}, {2, anyone}}, OK},
		"auth":           {[]acl{{3, auth}}, []identity{bob, eve}, []acl{{3, bob}, {3, eve}}, OK},
		"auth by nobody": {[]acl{{3, auth}}, []identity{{"ip", "10.0.0.1"}}, nil, InvalidACL},
		"unknown scheme": {[]acl{{3, identity{"x509", "CN=a"}}}, nil, nil, InvalidACL},
		"one bad of two": {[]acl{{3, anyone}, {3, identity{"digest", "bob"}}}, nil, nil,
			InvalidACL},
		"network": {[]acl{{3, identity{"ip", "10.0.0.0/8"}}}, nil,
			[]acl{{3, identity{"ip", "10.0.0.0/8"}}}, OK},
		"too many bits":   {[]acl{{3, identity{"ip", "10.0.0.0/33"}}}, nil, nil, InvalidACL},
		"somebody else's": {[]acl{{3, eve}}, []identity{bob}, []acl{{3, eve}}, OK},
	} {
		have, code := resolve(c.list, c.ids)
		if !slices.Equal(have, c.want) || code != c.code {
			t.Errorf("%s: have %v, code %d; want %v, code %d", name, have, code, c.want, c.code)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	ids := []identity{{"ip", "10.0.0.1"}}
	for range 2 { // the second time changes nothing
		var code Code
		if ids, code = authenticate("digest", []byte("bob:x"), ids); code != OK || len(ids) != 2 {
			t.Errorf("digest: have %v, code %d, want two identities", ids, code)
		}
	}
	if have, code := authenticate("sasl", nil, ids); code != AuthFailed || len(have) != 2 {
		t.Errorf("unknown scheme: have %v, code %d, want AuthFailed", have, code)
	}
	shown := redact([]acl{{1, digest("bob:x")}, {1, anyone}})
	if want := []acl{{1, identity{"digest", "bob:x"}}, {1, anyone}}; !slices.Equal(shown, want) {
		t.Errorf("redacted: have %v, want %v", shown, want)
	}
}
