package dns

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"example.com/daytime/sd/policy"
)

// A record is one instance as the DNS describes it. One that was asked for by its address says
// nothing of itself.
type record struct {
	address  netip.AddrPort
	service  bool // it comes from an SRV record, with the rest
	priority uint16
	weight   uint16
}

// entries are the instances of records with their attributes. An answer has its records in any
// order: of an instance that has several, the one that is to be tried first counts.
func entries(records []record) []policy.Entry {
	records = slices.SortedStableFunc(slices.Values(records), func(a, b record) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(b.weight, a.weight))
	})
	s := scaleOf(records)
	all := make([]policy.Entry, 0, len(records))
	for _, r := range records {
		e := policy.Entry{Instance: r.address.String()}
		if r.service {
			e.Attributes.Weight = s.weight(r)
			e.Attributes.Tags = map[string]string{"priority": strconv.Itoa(int(r.priority))}
		}
		all = append(all, e)
	}
	return all
}

// A scale turns the weights of an answer into those of instances.
type scale struct {
	first  uint16 // the priority to be tried first
	others bool   // there are others
	max    uint16 // weight of that priority
}

// scaleOf measures records, which are sorted.
func scaleOf(records []record) (s scale) {
	if len(records) > 0 {
		s.first, s.max = records[0].priority, records[0].weight
		s.others = records[len(records)-1].priority != s.first
	}
	return s
}

// weight is that of one instance; nil: it does not say one. RFC 2782 gives a weight of 0 a small
// chance beside others, and none at all to a higher priority while a lower one can be reached.
func (s scale) weight(r record) *int {
	weight := max(int(r.weight), 1)
	switch {
	case r.priority != s.first:
		weight = 0
	case s.max == 0 && s.others:
		weight = policy.DefaultWeight
	case s.max == 0:
		return nil
	case s.max > policy.MaxWeight:
		weight = max(weight*policy.MaxWeight/int(s.max), 1)
	}
	return &weight
}
