package registry_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/sd"
	"example.com/daytime/sd/dns"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/file"
	"example.com/daytime/sd/zk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func schemes(string) sd.Schemes {
	return sd.Schemes{"zk": zk.Open, "etcd": etcd.Open, "dns": dns.Open, "file": file.Open,
		"fixed": sd.OpenFixed}
}

func Example() {
	urls := registry.URLs{"zk://127.0.0.1:2181/go_servers"}
	flags := pflag.NewFlagSet("example", pflag.ContinueOnError)
	flags.Var(registry.Flag(&urls), "sd", "registries")
	flags.Parse([]string{"--sd", "fixed://192.0.2.1:13", "--sd", "fixed://192.0.2.2:13"})
	registries, err := registry.Open(urls, schemes)
	if err != nil {
		fmt.Println(err)
	}
	defer registries.Close()
	for _, r := range registries {
		fmt.Println(r.Target)
	}
	// Output:
	// fixed://192.0.2.1:13
	// fixed://192.0.2.2:13
}

func TestFlag(t *testing.T) {
	for _, test := range []struct {
		sets []string
		want string
	}{
		{nil, "zk://default"},
		{[]string{"zk://a"}, "zk://a"},
		{[]string{"zk://a", "etcd://b"}, "zk://a etcd://b"},
		{[]string{" zk://a  etcd://b\t", "dns://c/d"}, "zk://a etcd://b dns://c/d"},
		{[]string{" "}, "want the URL of a registry"},
	} {
		urls := registry.URLs{"zk://default"}
		f := registry.Flag(&urls)
		have := ""
		for _, text := range test.sets {
			if err := f.Set(text); err != nil {
				have = err.Error()
			}
		}
		if have == "" {
			have = urls.String()
		}
		if test.want != have {
			t.Errorf("%q: want %q, have %q", test.sets, test.want, have)
		}
	}
}

// One directory, in whichever spelling, is a wrong command; what is another one is not.
func TestEachOnce(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"zk://192.0.2.1", "zk://192.0.2.1", true},
		{"zk://192.0.2.1", "zk://192.0.2.1:2181/go_servers", true},
		{"zk://192.0.2.1/a", "zk://192.0.2.1/a/", true},
		{"zk://192.0.2.1/a", "zk://192.0.2.1/a?session-timeout=3s", true},
		{"zk://192.0.2.1,192.0.2.2/a", "zk://192.0.2.3,192.0.2.2/a", true},
		{"zk://Zk1.example.com/a", "zk://zk1.example.com./a", true},
		{"zk://localhost/a", "zk://127.0.0.1/a", true},
		{"zk://[::1]/a", "zk://localhost:2181/a", true},
		{"zk://[2001:db8::1]/a", "zk://[2001:DB8:0::1]/a", true},
		{"etcd://192.0.2.1", "etcd://192.0.2.1:2379/go_servers", true},
		{"dns://192.0.2.53/a.example.com", "dns://192.0.2.53:53/A.example.com.", true},
		{"dns:///a.example.com", "dns:///a.example.com?interval=10s", true},
		{"file:///a", "file:///a", true},
		{"fixed://192.0.2.1:1,192.0.2.2:2", "fixed://192.0.2.2:2,192.0.2.1:1", true},

		{"zk://192.0.2.1/a", "zk://192.0.2.1/b", false},
		{"zk://192.0.2.1/a", "zk://192.0.2.2/a", false},
		{"zk://127.0.0.1:2181/a", "zk://127.0.0.1:2182/a", false},
		{"zk://127.0.0.1/a", "zk://127.0.0.2/a", false},
		{"zk://192.0.2.1:2379/a", "etcd://192.0.2.1:2379/a", false},
		{"dns:///a.example.com?port=1", "dns:///a.example.com?port=2", false},
		{"file:///a", "file:///b", false},
		{"fixed://192.0.2.1:1", "fixed://192.0.2.1:1,192.0.2.2:2", false},
	} {
		for _, urls := range []registry.URLs{{test.a, test.b}, {test.b, test.a}, {"file:///first", test.b, test.a}} {
			registries, err := registry.Open(urls, schemes)
			registries.Close()
			if (err != nil) != test.same {
				t.Errorf("%v: want them the same: %v; have %v", urls, test.same, err)
			}
			if err != nil && (!strings.Contains(err.Error(), urls[len(urls)-1]) || !strings.Contains(err.Error(), "once")) {
				t.Errorf("%v: want the second one named, and what is wanted, have %v", urls, err)
			}
		}
	}
}

// One that cannot be opened is the whole command's error, and the others are closed. Each has a name
// in metrics, unless it is the only one.
func TestOpen(t *testing.T) {
	var labels []string
	noting := func(label string) sd.Schemes {
		labels = append(labels, label)
		return schemes(label)
	}
	if _, err := registry.Open(registry.URLs{"zk://192.0.2.1", "zk://192.0.2.2?no-key=1"}, noting); err == nil ||
		!strings.Contains(err.Error(), "192.0.2.2") {
		t.Errorf("want the wrong one named, have %v", err)
	}
	for _, urls := range []registry.URLs{{"fixed://192.0.2.1:1"},
		{"dns:///a.example.com?port=1", "dns:///a.example.com?port=2"}} {
		registries, err := registry.Open(urls, noting)
		if err != nil {
			t.Fatal(err)
		}
		registries.Close()
	}
	want := []string{"zk://192.0.2.1", "zk://192.0.2.2", "", "dns:///a.example.com",
		"dns:///a.example.com?port=2"}
	if !slices.Equal(want, labels) {
		t.Errorf("want %q, have %q", want, labels)
	}
}
