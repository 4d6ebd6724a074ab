// Package acl puts an ACL of ZooKeeper into words: who may do what with a directory of servers.
//
// Format: https://zookeeper.apache.org/doc/r3.8.4/zookeeperProgrammers.html#sc_ZooKeeperAccessControl
package acl

import (
	"slices"
	"strings"
)

// The permissions.
const (
	Read = 1 << iota
	Write
	Create
	Delete
	Admin
)

// An Entry is one of an ACL.
type Entry struct {
	Perms      int32
	Scheme, ID string
}

// who is for whom e is. The hash of a password is left out.
func (e Entry) who() string {
	id := e.ID
	if e.Scheme == "digest" {
		id, _, _ = strings.Cut(id, ":")
	}
	return e.Scheme + ":" + id
}

// letters are the permissions of e as zkCli.sh writes them.
func (e Entry) letters() string {
	text := ""
	for i, perm := range [...]int32{Create, Delete, Read, Write, Admin} {
		if e.Perms&perm != 0 {
			text += "cdrwa"[i : i+1]
		}
	}
	return text
}

// isAnybody reports whether e is for everybody, or for a network without bounds.
func (e Entry) isAnybody() bool {
	return e.Scheme == "world" && e.ID == "anyone" || e.Scheme == "ip" && strings.HasSuffix(e.ID, "/0")
}

// A List is an ACL.
type List []Entry

// String is the ACL as it is set, without what is secret.
func (l List) String() string {
	var parts []string
	for _, e := range l {
		parts = append(parts, e.who()+":"+e.letters())
	}
	return strings.Join(parts, ", ")
}

// Perms are those that somebody has, and those that everybody has.
func (l List) Perms() (all, open int32) {
	for _, e := range l {
		all |= e.Perms
		if e.isAnybody() {
			open |= e.Perms
		}
	}
	return all, open
}

// Who is to whom l gives a permission.
func (l List) Who(perm int32) string {
	var who []string
	for _, e := range l {
		if e.Perms&perm != 0 {
			who = append(who, e.who())
		}
	}
	if len(who) == 0 {
		return "nobody"
	}
	slices.Sort(who)
	return strings.Join(slices.Compact(who), ", ")
}

// Words says what changes of a directory of servers permissions allow; nothing if none.
func Words(perms int32) string {
	var parts []string
	for _, right := range []struct {
		perm int32
		text string
	}{{Create, "register servers"}, {Delete, "delete servers"}, {Write, "write the policy"},
		{Admin, "change the ACL"}} {
		if perms&right.perm != 0 {
			parts = append(parts, right.text)
		}
	}
	if n := len(parts) - 1; n > 0 {
		return strings.Join(parts[:n], ", ") + " and " + parts[n]
	}
	return strings.Join(parts, "")
}
