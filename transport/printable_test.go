package transport_test

import (
	"fmt"
	"testing"
	"unicode"
	"unicode/utf8"

	"example.com/daytime/transport"
)

func ExamplePrintable() {
	fmt.Println(transport.Printable("127.0.0.1:8897: \x1b[2Jnow"))
	// Output: 127.0.0.1:8897: \x1b[2Jnow
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"[::1]:8897: 15:04:05.999999 -0700 MST", "[::1]:8897: 15:04:05.999999 -0700 MST"},
		{"Zürich, 東京", "Zürich, 東京"},
		{`C:\x1b`, `C:\x1b`},
		{"\x1b]0;title\x07", `\x1b]0;title\x07`},
		{"a\tb\rc\nd\x00e\x7f", `a\x09b\x0dc\x0ad\x00e\x7f`},
		{"\u009b31m", `\u009b31m`},             // CSI as one character
		{"\x9b31m", `\x9b31m`},                 // CSI as one byte of Latin-1
		{"abc\u202edef", `abc\u202edef`},       // right to left from here
		{"a\u200bb\ufeffc", `a\u200bb\ufeffc`}, // no width
		{"a\U000e0041b", `a\U000e0041b`},       // an invisible tag
		{"\ufffd", `\ufffd`},                   // the replacement character itself
		{"\xff\xfe\xc3\x28", `\xff\xfe\xc3(`},  // not UTF-8
		{"\xed\xa0\x80", `\xed\xa0\x80`},       // half a surrogate pair
		{"caf\u00e9 e\u0301", "café e\u0301"},  // combining marks are ordinary text
		{"no\u00a0break", `no\u00a0break`},     // a space that is none
		{"line\u2028para\u2029", `line\u2028para\u2029`},
	} {
		if have := transport.Printable(test.in); have != test.want {
			t.Errorf("%q: want %q, have %q", test.in, test.want, have)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("now")
	f.Add("\x1b[31m\u202e\xff\U000e0041")
	f.Fuzz(func(t *testing.T, in string) {
		have := transport.Printable(in)
		if !utf8.ValidString(have) {
			t.Errorf("want UTF-8, have %q", have)
		}
		for _, r := range have {
			if !unicode.IsPrint(r) {
				t.Errorf("want printable characters, have %q in %q", r, have)
			}
		}
		if again := transport.Printable(have); again != have {
			t.Errorf("want %q the second time too, have %q", have, again)
		}
	})
}

func BenchmarkPrintable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		transport.Printable("127.0.0.1:8897: 2006-01-02 15:04:05.999999 -0700 MST")
	}
}
