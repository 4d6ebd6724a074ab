package transport

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes text from the network harmless for a terminal: every character that is not
// printable, as unicode.IsPrint has it, becomes an escape that can be read, such as \x1b for ESC or
// \u202e for the character that reverses a line. Bytes that are not UTF-8 are escaped one by one;
// everything else stays, backslashes included, so that an ordinary reply is printed as it came.
//
// The codec does not call it: a reply travels unchanged, and a program calls it where it prints.
func Printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1, r < utf8.RuneSelf && unprintable(r):
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case !unprintable(r):
			b.WriteString(s[:size])
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

// unprintable counts U+FFFD as such, because a range over bytes that are not UTF-8 yields it too.
func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
