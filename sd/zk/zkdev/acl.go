package zkdev

import (
	"crypto/sha1"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The permissions that an ACL entry can grant. ZooKeeper asks for create and delete on the parent,
// for the others on the znode itself; nothing is inherited, so a child may be open below a closed
// parent. Exists asks for nothing; an event goes only to a client that may read the znode. The
// rules are those of
// https://zookeeper.apache.org/doc/r3.8.4/zookeeperProgrammers.html#sc_ZooKeeperAccessControl.
const (
	permRead int32 = 1 << iota
	permWrite
	permCreate
	permDelete
	permAdmin
	permAll = permRead | permWrite | permCreate | permDelete | permAdmin
)

// An identity is a name that a client can prove by one scheme: "digest" by a password, "ip" by the
// address of the connection. "world" has one member, anyone. "auth" is not a scheme: it stands for
// every digest that the client has proved, and is replaced by those when an ACL is set.
type identity struct{ scheme, id string }

// An acl entry grants permissions to an identity.
type acl struct {
	perms int32
	who   identity
}

var anyone = identity{"world", "anyone"}

// openACL is what most clients set, and what this server gives to znodes that it makes itself.
func openACL() []acl { return []acl{{permAll, anyone}} }

func (d *decoder) acls() []acl {
	list := make([]acl, max(d.count(), 0))
	for i := range list {
		list[i] = acl{d.int32(), d.identity()}
	}
	return list
}

// identity reads a null scheme as one that does not exist. A null id is allowed for auth, which
// ignores it, and malformed for the schemes that use it, as in ZooKeeper.
func (d *decoder) identity() identity {
	scheme, _ := d.nullable()
	id, null := d.nullable()
	if null && (scheme == "world" || scheme == "digest" || scheme == "ip") {
		d.err = errMalformed
	}
	return identity{scheme, id}
}

func (e *encoder) acls(list []acl) {
	e.int32(int32(len(list)))
	for _, a := range list {
		e.int32(a.perms)
		e.string(a.who.scheme)
		e.string(a.who.id)
	}
}

// digest is the identity that a "user:password" proves: the user, and a SHA-1 without salt. The
// client sends the password in clear, and the ACL shows the hash to every client that may
// administer the znode (see redact).
func digest(userPassword string) identity {
	user, _, _ := strings.Cut(userPassword, ":")
	sum := sha1.Sum([]byte(userPassword))
	return identity{"digest", user + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// authenticate returns the identities of a client after an auth packet. The ip scheme adds none:
// the connection proved the address when it was opened.
func authenticate(scheme string, secret []byte, have []identity) ([]identity, Code) {
	switch {
	case scheme == "digest" && secret != nil:
		if id := digest(string(secret)); !slices.Contains(have, id) {
			have = append(slices.Clip(have), id)
		}
		return have, OK
	case scheme == "ip":
		return have, OK
	}
	return have, AuthFailed
}

// resolve checks an ACL that a client wants to set, drops doubles, and replaces "auth" by the
// digests the client proved.
func resolve(list []acl, ids []identity) ([]acl, Code) {
	var resolved []acl
	for i, a := range list {
		if slices.Contains(list[:i], a) {
			continue
		}
		switch {
		case a.who.scheme == "auth":
			proved := granted(a.perms, ids)
			if len(proved) == 0 {
				return nil, InvalidACL
			}
			resolved = append(resolved, proved...)
		case a.who.valid():
			resolved = append(resolved, a)
		default:
			return nil, InvalidACL
		}
	}
	if len(resolved) == 0 {
		return nil, InvalidACL
	}
	return resolved, OK
}

// granted gives perms to each digest.
func granted(perms int32, ids []identity) []acl {
	var list []acl
	for _, id := range ids {
		if id.scheme == "digest" {
			list = append(list, acl{perms, id})
		}
	}
	return list
}

// valid says whether an ACL may name this identity. An identity that no client can prove is valid
// all the same.
func (i identity) valid() bool {
	switch i.scheme {
	case "world":
		return i == anyone
	case "digest":
		return strings.Count(strings.TrimRight(i.id, ":"), ":") == 1 // "user:hash"
	case "ip":
		_, ok := network(i.id)
		return ok
	}
	return false
}

// network reads the id of the ip scheme: an IPv4 address, alone or with a number of bits. ZooKeeper
// takes no other, and its numbers may have leading zeros.
func network(id string) (p netip.Prefix, ok bool) {
	addr, length, found := strings.Cut(id, "/")
	bits := 32
	if found {
		if bits, ok = number(length, bits); !ok {
			return p, false
		}
	}
	parts := strings.Split(addr, ".")
	if len(parts) != 4 {
		return p, false
	}
	var b [4]byte
	for i, part := range parts {
		n, ok := number(part, 255)
		if !ok {
			return p, false
		}
		b[i] = byte(n)
	}
	return netip.PrefixFrom(netip.AddrFrom4(b), bits).Masked(), true
}

func number(text string, most int) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 0 && n <= most
}

// permits says whether one of ids has one of perms. World needs no proof. Entries only grant, so
// their order does not matter.
func permits(list []acl, perms int32, ids []identity) bool {
	for _, a := range list {
		if a.perms&perms == 0 {
			continue
		}
		if a.who == anyone || slices.ContainsFunc(ids, a.who.covers) {
			return true
		}
	}
	return false
}

// covers says whether the identity in an ACL is meant by the proved identity.
func (i identity) covers(proved identity) bool {
	if i.scheme != "ip" || proved.scheme != "ip" {
		return i == proved
	}
	net, ok := network(i.id)
	addr, err := netip.ParseAddr(proved.id)
	return ok && err == nil && net.Contains(addr)
}

// redact hides the hashes of digests, for a client that may not administer the znode.
func redact(list []acl) []acl {
	shown := slices.Clone(list)
	for i, a := range shown {
		if user, _, found := strings.Cut(a.who.id, ":"); found && a.who.scheme == "digest" {
			shown[i].who.id = user + ":x"
		}
	}
	return shown
}
