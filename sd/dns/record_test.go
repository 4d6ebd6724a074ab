package dns

import (
	"fmt"
	"net/netip"
	"testing"

	"example.com/daytime/sd"
)

// The weights and priorities of an answer, as instances have them.
func TestWeights(t *testing.T) {
	for _, test := range []struct {
		records []record // of instances at ports 1, 2, 3
		want    string
	}{
		{[]record{{weight: 5}, {weight: 10}}, "1:5 2:10"},
		{[]record{{weight: 0}, {weight: 10}}, "1:1 2:10"},
		{[]record{{weight: 0}, {weight: 0}}, "1:- 2:-"},
		{[]record{{priority: 2, weight: 9}, {priority: 1, weight: 5}, {priority: 1}}, "1:0 2:5 3:1"},
		{[]record{{priority: 2}, {priority: 1}}, "1:0 2:100"},
		{[]record{{weight: 2000}, {weight: 500}, {weight: 1}}, "1:1000 2:250 3:1"},
		{[]record{{weight: 65535}, {priority: 1, weight: 7}}, "1:1000 2:0"},
	} {
		for n := range test.records {
			test.records[n].service = true
			test.records[n].address = netip.MustParseAddrPort(fmt.Sprintf("192.0.2.1:%d", n+1))
		}
		have := map[string]string{}
		for _, e := range entries(test.records) {
			text := "-"
			if e.Attributes.Weight != nil {
				text = fmt.Sprint(*e.Attributes.Weight)
			}
			have[e.Instance] = text
		}
		text := ""
		for n, r := range test.records {
			text += fmt.Sprintf(" %d:%s", n+1, have[r.address.String()])
		}
		if text[1:] != test.want {
			t.Errorf("%v: want %s, have%s", test.records, test.want, text)
		}
	}
}

// Attributes come with the records, and change with them.
func TestAttributes(t *testing.T) {
	z := newZone(t,
		service+" 60 IN SRV 10 5 8897 a.example.com.", "a.example.com. 60 IN A 192.0.2.1",
		service+" 60 IN SRV 20 5 8898 b.example.com.", "b.example.com. 60 IN A 192.0.2.2",
		service+" 60 IN SRV 20 9 8897 c.example.com.", "c.example.com. 60 IN A 192.0.2.1")
	changes := make(chan sd.Change)
	done := make(chan error)
	b := z.open(t, service, "")
	go func() {
		done <- b.Watch(t.Context(), sd.Want{Attributes: true, Policy: true}, func(c sd.Change) { changes <- c })
	}()
	c := <-changes
	a, backup := c.Attributes[alice], c.Attributes[bob]
	if len(c.Up) != 2 || a.EffectiveWeight() != 5 || a.Tags["priority"] != "10" ||
		backup.EffectiveWeight() != 0 || backup.Tags["priority"] != "20" || c.Lacking != (sd.Want{Policy: true}) {
		t.Errorf("want the weights 5 and 0 and both priorities, have %+v", c)
	}
	z.remove(service)
	z.add(t, service+" 60 IN SRV 10 7 8897 a.example.com.", service+" 60 IN SRV 10 5 8898 b.example.com.")
	c = <-changes
	a, backup = c.Attributes[alice], c.Attributes[bob]
	if len(c.Up)+len(c.Down) > 0 || a.EffectiveWeight() != 7 || backup.EffectiveWeight() != 5 {
		t.Errorf("want other weights alone, have %+v", c)
	}
	b.Close()
	<-done
}
