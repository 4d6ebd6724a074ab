package target_test

import (
	"fmt"
	"testing"

	"example.com/daytime/sd/internal/target"
)

func Example() {
	t, err := target.Parse("zk://a:2181,[::1]/go_servers?watch=auto")
	fmt.Println(t.Scheme, t.Hosts, t.Path, t.Keys, err)
	_, err = target.Parse("zk://a/svc,b/svc")
	fmt.Println(err)
	// Output:
	// zk [a:2181 [::1]] /go_servers map[watch:auto] <nil>
	// character ',' in the path "/svc,b/svc": all hosts stand before the one path, with commas between them
}

// What a host is, as it comes from a file or from a person.
func FuzzParseHost(f *testing.F) {
	for _, text := range []string{"a:1", "[::1]:2", "192.0.2.1", "a:b:c", "[", "a."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := target.ParseHost(text)
		if err == nil && h.Name == "" {
			t.Errorf("%q: want a name, have %+v", text, h)
		}
	})
}
