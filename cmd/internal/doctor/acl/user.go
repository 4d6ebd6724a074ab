package acl

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// A User is who has the user and the password of an auth-file. ZooKeeper takes any password: a wrong
// one is noticed when something is denied.
type User struct{ name, id string }

// ParseUser takes the text of an auth-file.
func ParseUser(text string) User {
	secret := strings.TrimRight(text, "\r\n")
	name, _, _ := strings.Cut(secret, ":")
	hash := sha1.Sum([]byte(secret))
	return User{name: name, id: name + ":" + base64.StdEncoding.EncodeToString(hash[:])}
}

// Rights says what l lets u do of what servers and operators need, and is wrong if that is nothing
// of what l may be meant to give: a right that comes by another way, such as an address, is not known
// here.
func (l List) Rights(u User) (text string, wrong bool) {
	const needed = int32(Create | Write)
	perms, isNamed, isOther := int32(0), false, false
	for _, e := range l {
		isIts := e.Scheme == "digest" && e.ID == u.id
		if isIts || e.isAnybody() {
			perms |= e.Perms & needed
		}
		isNamed = isNamed || isIts
		isOther = isOther || e.Scheme == "digest" && strings.HasPrefix(e.ID, u.name+":")
	}
	if isOther && !isNamed {
		return "user " + u.name + " is in the ACL with another password", true
	}
	switch perms {
	case 0:
		return "the ACL lets user " + u.name + " neither register servers nor write the policy", true
	case needed:
		return "user " + u.name + " may " + Words(perms), false
	}
	return "user " + u.name + " may " + Words(perms) + ", and not " + Words(needed&^perms), false
}
