package layout_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/daytime/sd"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/layout"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	l, err := layout.Parse("dubbo")
	if err != nil {
		fmt.Println(err)
		return
	}
	name := url.QueryEscape("dubbo://192.0.2.1:20880/org.example.Time?application=time&weight=50&version=2.1")
	e, err := l.Read(name, nil)
	fmt.Println(e.Instance, e.Attributes.EffectiveWeight(), e.Attributes.Tags, err)
	_, err = l.Read(url.QueryEscape("dubbo://192.0.2.1:20880/org.example.Time?disabled=true"), nil)
	fmt.Println(errors.Is(err, layout.ErrNobody))
	// Output:
	// 192.0.2.1:20880 50 map[application:time protocol:dubbo version:2.1] <nil>
	// true
}

// Each layout has its own words for an instance, and for a server that is not to be called.
func TestRead(t *testing.T) {
	const spring = `{"name":"time","id":"4d0f","address":"192.0.2.1","port":8897,"sslPort":null,"payload":{` +
		`"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance","id":"time","name":"time",` +
		`"metadata":{"instance_status":"%s","weight":"50","zone":"eu-1a","version":"2.1","Bad Key":"x"}},` +
		`"registrationTimeUTC":1700000000123,"serviceType":"DYNAMIC","uriSpec":null}`
	const curator = `{"name":"time","id":"4d0f","address":"2001:db8::1","port":null,"sslPort":8898,"payload":null,` +
		`"registrationTimeUTC":1700000000123,"serviceType":"DYNAMIC","uriSpec":null,"enabled":%s}`
	const member = `{"serviceEndpoint":{"host":"192.0.2.1","port":8897},"additionalEndpoints":{"admin":` +
		`{"host":"192.0.2.1","port":9990}},"status":"%s","shard":3,"metadata":{"version":"2.1"}}`
	for _, test := range []struct {
		layout, name, data string
		want               string // "" is nobody, "!…" an error that says that
	}{
		{"curator", "4d0f", fmt.Sprintf(spring, "UP"), "192.0.2.1:8897 50 eu-1a map[version:2.1] since 1700000000123"},
		{"curator", "4d0f", fmt.Sprintf(spring, "OUT_OF_SERVICE"), ""},
		{"curator", "4d0f", fmt.Sprintf(curator, "true"), "[2001:db8::1]:8898 100  map[] since 1700000000123"},
		{"curator", "4d0f", fmt.Sprintf(curator, "false"), ""},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":80,"payload":"anything"}`, "192.0.2.1:80 100  map[] since 0"},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":80,"payload":{"metadata":{"weight":"5000"}}}`, "192.0.2.1:80 1000  map[] since 0"},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":80,"registrationTimeUTC":"today","payload":{"metadata":{"a":1,"zone":"b","c":null}}}`,
			"192.0.2.1:80 100 b map[] since 0"},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":80,"payload":{"metadata":{"a":1,"instance_status":"OUT_OF_SERVICE"}}}`, ""},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":80,"payload":{"metadata":"anything"}}`, "192.0.2.1:80 100  map[] since 0"},
		{"curator", "4d0f", `{"address":"time.example.com","port":80}`, "!host"},
		{"curator", "4d0f", `{"address":"192.0.2.1"}`, "!port"},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":70000}`, "!port"},
		{"curator", "4d0f", `{"address":"0.0.0.0","port":80}`, "!dial"},
		{"curator", "4d0f", ``, "!JSON object"},
		{"curator", "4d0f", `[]`, "!JSON object"},
		{"curator", "4d0f", `{"address":"192.0.2.1","port":80,"payload":"` + strings.Repeat("a", layout.MaxData) + `"}`, "!at most"},

		{"serverset", "member_0000000007", fmt.Sprintf(member, "ALIVE"), "192.0.2.1:8897 100  map[shard:3 version:2.1] since 0"},
		{"serverset", "member_0000000007", fmt.Sprintf(member, "STARTING"), ""},
		{"serverset", "member_0000000007", `{"serviceEndpoint":{"host":"192.0.2.1","port":80},"status":"ALIVE","shard":"3","metadata":{"a":1,"b":"c"}}`,
			"192.0.2.1:80 100  map[b:c] since 0"},
		{"serverset", "member_0000000007", `{"serviceEndpoint":{"host":"192.0.2.1","port":80},"shard":null,"metadata":null}`,
			"192.0.2.1:80 100  map[] since 0"},
		{"serverset", "vector_0000000001", `{"vector":[{"select":"shard=3","weight":0.5,"priority":1}]}`, ""},
		{"serverset", "member_0000000007", `{"status":"ALIVE"}`, "!serviceEndpoint"},
		{"serverset", "member_0000000007", `{"serviceEndpoint":{"host":"h","port":1}}`, "!host"},
		{"serverset", "member_0000000007", `ALIVE`, "!JSON object"},

		{"dubbo", provider("tri://192.0.2.1:50051/T?timestamp=1700000000123&dubbo.tag=gray&weight=5000"), "",
			"192.0.2.1:50051 1000  map[dubbo.tag:gray protocol:tri] since 1700000000123"},
		{"dubbo", provider("tri://192.0.2.1:20000/T?anyhost=true&application=a%2Bb&methods=Now&module=50%;x&timestamp=1700000000&version=1.0;beta"),
			"", "192.0.2.1:20000 100  map[application:a+b protocol:tri version:1.0;beta] since 1700000000000"}, // dubbo-go's
		{"dubbo", provider("dubbo://[2001:db8::1]:20880/T?anyhost=true&weight=0"), "",
			"[2001:db8::1]:20880 0  map[protocol:dubbo] since 0"},
		{"dubbo", provider("dubbo://192.0.2.1:20880/T?default.weight=50&default.group=a&group=b&default.version=2"), "",
			"192.0.2.1:20880 50  map[group:b protocol:dubbo version:2] since 0"}, // Dubbo 2.6's
		{"dubbo", provider("http://2001:db8:0:0:0:0:0:1:20880/T"), "", "[2001:db8::1]:20880 100  map[protocol:http] since 0"}, // Dubbo's
		{"dubbo", provider("rest://u:p@[2001:db8::1]:20880/100%/T"), "", "[2001:db8::1]:20880 100  map[protocol:rest] since 0"},
		{"dubbo", provider("rest://192.0.2.1:20880?version=1"), "", "192.0.2.1:20880 100  map[protocol:rest version:1] since 0"},
		{"dubbo", provider("192.0.2.1:20880/T"), "", "!URL"},
		{"dubbo", provider("dubbo://2001:db8::1/T"), "", "!host"},
		{"dubbo", provider("dubbo://fe80::1%eth0:20880/T"), "", "!zone"},
		{"dubbo", provider("dubbo://192.0.2.1:20880/T?enabled=false"), "", ""},
		{"dubbo", provider("override://0.0.0.0/T?category=configurators&weight=200"), "", ""},
		{"dubbo", provider("empty://192.0.2.1/T?category=providers"), "", ""},
		{"dubbo", provider("dubbo://192.0.2.1/T"), "", "!port"},
		{"dubbo", provider("dubbo://time.example.com:20880/T"), "", "!host"},
		{"dubbo", "%zz", "", "!URL"},
		{"dubbo", provider("dubbo://192.0.2.1:" + strings.Repeat("a", 10_000)), "", "!URL"},
		{"dubbo", strings.Repeat("a", 20_000), "", "!at most"},
	} {
		l, err := layout.Parse(test.layout)
		if err != nil {
			t.Fatal(err)
		}
		e, err := l.Read(test.name, []byte(test.data))
		have := ""
		switch {
		case errors.Is(err, layout.ErrNobody):
		case err != nil:
			if have = "!" + err.Error(); len(have) > 1000 {
				t.Errorf("%s %.80q: want a short error, have %d bytes", test.layout, test.name, len(have))
			}
		default:
			have = text(e)
		}
		if want, isError := strings.CutPrefix(test.want, "!"); isError &&
			!(strings.HasPrefix(have, "!") && strings.Contains(have, want)) || !isError && have != test.want {
			t.Errorf("%s %.80q %s: want %q, have %q", test.layout, test.name, test.data, test.want, have)
		}
	}
}

// text is all that was read of a child.
func text(e policy.Entry) string {
	a := e.Attributes
	return fmt.Sprintf("%s %d %s %v since %d", e.Instance, a.EffectiveWeight(), a.Zone, a.Tags,
		max(a.Since.UnixMilli(), 0))
}

func provider(text string) string { return url.QueryEscape(text) }

func TestParse(t *testing.T) {
	var needData []string
	for _, name := range []string{"curator", "serverset", "dubbo"} {
		l, err := layout.Parse(name)
		if err != nil || l.String() != name {
			t.Errorf("want %s, have %v, %v", name, l, err)
		}
		if l.NeedsData() {
			needData = append(needData, name)
		}
	}
	if !slices.Equal(needData, []string{"curator", "serverset"}) {
		t.Errorf("want the names of dubbo to carry all, have data read for %v", needData)
	}
	if _, err := layout.Parse("nerve"); err == nil {
		t.Error("nerve: want an error, have none")
	}
}

// Any name and data are read as an instance with attributes that are allowed, or as none.
func FuzzRead(f *testing.F) {
	f.Add("4d0f", []byte(`{"address":"192.0.2.1","port":80,"payload":{"metadata":{"a":"b"}}}`))
	f.Add("member_1", []byte(`{"serviceEndpoint":{"host":"192.0.2.1","port":80},"status":"ALIVE"}`))
	f.Add(provider("dubbo://192.0.2.1:1/T?weight=1"), []byte(nil))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		for _, l := range []layout.Layout{layout.Curator(), layout.ServerSet(), layout.Dubbo()} {
			e, err := l.Read(name, data)
			if err != nil {
				if e.Instance != "" || len(err.Error()) > 1000 {
					t.Errorf("%v: want no instance and a short error, have %v, %v", l, e, err)
				}
				continue
			}
			if err := sd.CheckInstance(e.Instance); err != nil {
				t.Errorf("%v: %v", l, err)
			}
			if _, err := e.Attributes.Valid(); err != nil {
				t.Errorf("%v: %v", l, err)
			}
		}
	})
}

func BenchmarkDubbo(b *testing.B) {
	name := provider("dubbo://192.0.2.1:20880/org.example.Time?anyhost=true&application=time&deprecated=false" +
		"&dubbo=2.0.2&dynamic=true&generic=false&interface=org.example.Time&methods=now&pid=7&release=3.3.0" +
		"&side=provider&timestamp=1700000000123&weight=50")
	for b.Loop() {
		if _, err := layout.Dubbo().Read(name, nil); err != nil {
			b.Fatal(err)
		}
	}
}
