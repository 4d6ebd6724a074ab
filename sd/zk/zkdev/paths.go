package zkdev

import "strings"

// parent returns the path above p; the root's parent is itself.
func parent(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i <= 0 {
		return "/"
	}
	return p[:i]
}

// base returns the last element of p.
func base(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// hasParent says whether p can name a child at all: reads and deletes ask for no more than this.
func hasParent(p string) bool { return strings.Contains(p, "/") && !strings.Contains(p, "\x00") }

// validPath says whether a znode may have this path: absolute, no empty, "." or ".." element, and
// no illegal character.
func validPath(p string) bool {
	if p == "/" {
		return true
	}
	if !strings.HasPrefix(p, "/") {
		return false
	}
	for _, name := range strings.Split(p[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return !strings.ContainsFunc(p, illegal)
}

// illegal names the characters that no path may have: controls, private use, specials, and
// everything beyond the first 65,536 (ZooKeeper sees those as surrogates). Malformed UTF-8 reads as
// U+FFFD and so is illegal too.
func illegal(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0
}

// special are ZooKeeper's own znodes, which cannot be deleted.
var special = [...]string{"/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"}

// isSpecial names what delete refuses even to an administrator.
func isSpecial(p string) bool {
	for _, s := range special {
		if s == p {
			return true
		}
	}
	return false
}
