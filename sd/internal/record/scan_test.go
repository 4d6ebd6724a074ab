package record

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

// A document that scan reads is read alike by encoding/json.
func FuzzScan(f *testing.F) {
	weight := 50
	own := string(Record{
		Instance: "192.0.2.1:8897", Service: "go_servers", Claims: 9, Leaving: true,
		Attributes: policy.Attributes{Weight: &weight, Zone: "eu-1a", Tags: map[string]string{"version": "2.1"}, Since: time.UnixMilli(1_700_000_000_123)},
		Owner:      Owner{"b", 7, time.Unix(1_700_000_000, 0)},
	}.Encode())
	f.Add([]byte(own))
	for _, change := range []string{`"weight":-0`, `"weight":01`, `"weight":1.0`, `"tags":{}`, `"tags":{"a":"b"}`, `"id":"a\u0062"`, `"ID":"x"`,
		`"leaving":false`, `"claims":null`, `"start":"2023-11-14T2:13:20Z"`, `"start":"2023-11-14T22:13:20+01:00"`, `"zone":"é"`, `"x":[]`,
		`"x":{"y":{"z":-12,"":null}}`, `"process":999999999999999999`, `"process":9999999999999999999`, `"registrationTimeUTC":-5`} {
		f.Add([]byte(strings.TrimSuffix(own, "}") + "," + change + "}"))
	}
	f.Add([]byte(strings.Repeat(`{"x":`, 20_000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		have, ok := scan(data)
		if !ok || len(data) > MaxSize {
			return
		}
		want, err := parseAny(data)
		if err != nil || !reflect.DeepEqual(want, have) {
			t.Errorf("%s: want %+v, have %+v, %v", data, want, have, err)
		}
	})
}

// Documents of ours are all scanned, and those that take encoding/json are still read.
func TestScan(t *testing.T) {
	for _, r := range []Record{{Instance: "192.0.2.1:80"}, {Instance: "[2001:db8::1]:80", Owner: Self(), Claims: -1}} {
		if _, ok := scan(r.Encode()); !ok {
			t.Errorf("want it scanned, have %s", r.Encode())
		}
	}
	const blanks = ` {"id": "192.0.2.1:80", "zone": "\u0065u"} `
	if r, err := Parse([]byte(blanks)); err != nil || r.Attributes.Zone != "eu" {
		t.Errorf("%s: want zone eu, have %+v, %v", blanks, r, err)
	}
}

func BenchmarkParseAny(b *testing.B) {
	data := Record{Instance: "192.0.2.1:80", Owner: Self()}.Encode()
	for b.Loop() {
		if _, err := parseAny(data); err != nil {
			b.Fatal(err)
		}
	}
}
