package record_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/policy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const instance = "192.0.2.1:8897"

func full() record.Record {
	weight := 50
	return record.Record{
		Instance: instance,
		Service:  "go_servers",
		Attributes: policy.Attributes{
			Weight: &weight,
			Zone:   "eu-1a",
			Tags:   map[string]string{"version": "2.1"},
			Since:  time.UnixMilli(1_700_000_000_123).UTC(),
		},
		Owner:   record.Owner{Boot: "b", Process: 7, Start: time.Unix(1_700_000_000, 0).UTC()},
		Claims:  9,
		Leaving: true,
	}
}

func Example() {
	r := record.Record{
		Instance: "[2001:db8::1]:8897",
		Service:  "go_servers",
		Owner:    record.Owner{Boot: "4d0f", Process: 7, Start: time.Unix(1_700_000_000, 0)},
	}
	fmt.Println(string(r.Encode()))
	// Output:
	// {"host":"2001:db8::1","port":8897,"name":"go_servers","id":"[2001:db8::1]:8897","address":"2001:db8::1","serviceType":"DYNAMIC","registrationTimeUTC":0,"serviceEndpoint":{"host":"2001:db8::1","port":8897},"additionalEndpoints":{},"status":"ALIVE","boot":"4d0f","process":7,"start":"2023-11-14T22:13:20Z"}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []record.Record{full(), {Instance: "[2001:db8::1]:80"}} {
		have, err := record.Parse(want.Encode())
		if err != nil || !reflect.DeepEqual(want, have) {
			t.Errorf("want %+v, have %+v, %v", want, have, err)
		}
	}
}

// What is wrong with one attribute costs neither the others nor the owner.
func TestWrongAttributes(t *testing.T) {
	for change, lost := range map[string]string{
		`"weight":"50"`:                    "weight",
		`"weight":5.5`:                     "weight",
		`"weight":1001`:                    "weight",
		`"zone":7`:                         "zone",
		`"zone":"a b"`:                     "zone",
		`"tags":["version"]`:               "tags",
		`"tags":{"version":2}`:             "tags",
		`"tags":{"version":"2","Zone":""}`: "tag",
	} {
		data := strings.TrimSuffix(string(full().Encode()), "}") + "," + change + "}"
		have, err := record.Parse([]byte(data))
		if err == nil || !strings.Contains(err.Error(), lost) {
			t.Errorf("%s: want an error that names %s, have %v", change, lost, err)
		}
		if have.Owner.Boot != "b" || !have.Precedes(record.Owner{Boot: "b"}, instance) {
			t.Errorf("%s: want the owner, have %+v", change, have)
		}
		want := 3 // attributes that are said
		if lost != "tag" {
			want--
		}
		if n := said(have.Attributes); n != want {
			t.Errorf("%s: want %d attributes left, have %+v", change, want, have.Attributes)
		}
	}
}

func said(a policy.Attributes) (n int) {
	for _, yes := range []bool{a.Weight != nil, a.Zone != "", len(a.Tags) > 0} {
		if yes {
			n++
		}
	}
	return n
}

// Data of others says nothing, and is no error.
func TestStrangers(t *testing.T) {
	for _, data := range []string{"", "192.0.2.1:8897", "{", "[]", "null", "7", "{}", `{"boot":7,"id":[]}`} {
		have, err := record.Parse([]byte(data))
		if err != nil || !reflect.DeepEqual(have, record.Record{}) {
			t.Errorf("%q: want nothing, have %+v, %v", data, have, err)
		}
	}
	if _, err := record.Parse(make([]byte, record.MaxSize+1)); !errors.Is(err, record.ErrTooLong) {
		t.Errorf("want %v, have %v", record.ErrTooLong, err)
	}
}

// What was parsed can be encoded again, whatever a stranger has written into it: an owner does that
// with what it finds in its place.
func TestEncodeOfWrongTimes(t *testing.T) {
	for _, form := range []string{`{"id":"192.0.2.1:8897","start":%q,"registrationTimeUTC":%d}`,
		` {"id":"192.0.2.1:8897","start":%q,"registrationTimeUTC":%d}`} {
		for _, start := range []string{"9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00+01:00", "no"} {
			for since, right := range map[int64]bool{1764337682000: true, 1764337682000000: false} {
				r, err := record.Parse(fmt.Appendf(nil, form, start, since))
				if (err == nil) != right || r.Attributes.Since.IsZero() == right || !r.Owner.Start.IsZero() {
					t.Errorf("%s, %d: want a time of the registration: %v, have %+v, %v", start, since, right, r, err)
				}
				again, err := record.Parse(r.Encode())
				if err != nil || !reflect.DeepEqual(again, r) {
					t.Errorf("%s, %d: want %+v again, have %+v, %v", start, since, r, again, err)
				}
			}
		}
	}
}

// The first form of the document is still known as that of a predecessor.
func TestFirstForm(t *testing.T) {
	data := `{"host":"b","address":"192.0.2.1:8897","process":7,"start":"2023-11-14T22:13:20Z","claims":3}`
	have, err := record.Parse([]byte(data))
	if err != nil || !have.Precedes(record.Owner{Boot: "b"}, instance) || have.Claims != 3 {
		t.Errorf("want the record of %s on b, have %+v, %v", instance, have, err)
	}
}

func TestPrecedes(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*record.Record)
		want   bool
	}{
		"same host":      {func(*record.Record) {}, true},
		"other host":     {func(r *record.Record) { r.Owner.Boot = "c" }, false},
		"unknown host":   {func(r *record.Record) { r.Owner.Boot = "" }, false},
		"other instance": {func(r *record.Record) { r.Instance = "192.0.2.2:8897" }, false},
	} {
		r := full()
		test.change(&r)
		if have := r.Precedes(record.Owner{Boot: "b", Process: 8}, instance); have != test.want {
			t.Errorf("%s: want %v, have %v", name, test.want, have)
		}
	}
	nowhere := record.Record{Instance: instance}
	if nowhere.Precedes(record.Owner{}, instance) {
		t.Error("two unknown hosts: want strangers, have a predecessor")
	}
}

func TestSelf(t *testing.T) {
	if a, b := record.Self(), record.Self(); a.Boot != b.Boot || a.Process != b.Process {
		t.Errorf("want one owner, have %+v and %+v", a, b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full().Encode())
	f.Add([]byte(`{"host":"b","address":"192.0.2.1:8897"}`))
	f.Add([]byte(`{"weight":null,"tags":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := record.Parse(data)
		if _, invalid := r.Attributes.Valid(); invalid != nil {
			t.Errorf("want valid attributes, have %v", invalid)
		}
		if err != nil && !json.Valid(data) && len(data) <= record.MaxSize {
			t.Errorf("want no error for what is no JSON, have %v", err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := full().Encode()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := record.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
