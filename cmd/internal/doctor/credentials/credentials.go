// Package credentials says what an ACL of ZooKeeper gives to who has the user and the password of an
// auth-file. ZooKeeper takes any password: a wrong one is noticed when something is denied.
package credentials

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// The permissions that servers and operators need for the directory.
const (
	write  = 2
	create = 4
)

// A User is what is known of one.
type User struct {
	name, id string
	perms    int32
	other    bool // the ACL has the name with another password
}

// Parse takes the text of an auth-file.
func Parse(text string) *User {
	secret := strings.TrimRight(text, "\r\n")
	name, _, _ := strings.Cut(secret, ":")
	hash := sha1.Sum([]byte(secret))
	return &User{name: name, id: name + ":" + base64.StdEncoding.EncodeToString(hash[:])}
}

// Add takes in an entry of the ACL.
func (u *User) Add(perms int32, scheme, id string) {
	switch {
	case scheme == "digest" && id == u.id, scheme == "world" && id == "anyone":
		u.perms |= perms
	case scheme == "digest" && strings.HasPrefix(id, u.name+":"):
		u.other = true
	}
}

// Rights says what the user may do, and is wrong if that is nothing of what the ACL may be meant to
// give: a right that comes by another way, such as an address, is not known here.
func (u *User) Rights() (text string, wrong bool) {
	switch {
	case u.other:
		return "user " + u.name + " is in the ACL with another password", true
	case u.perms&(write|create) == write|create:
		return "user " + u.name + " may register servers and write the policy", false
	case u.perms&create != 0:
		return "user " + u.name + " may register servers, and not write the policy", false
	case u.perms&write != 0:
		return "user " + u.name + " may write the policy, and not register servers", false
	}
	return "the ACL lets user " + u.name + " neither register servers nor write the policy", true
}
