package lb

import (
	"math/bits"
	"slices"
)

// span is the number of members in a chunk: near the square root of 100,000, the largest set that
// this is made for, so that a chunk and the table of chunks, both copied at a change, are of one
// size.
const span = 256

type chunk struct {
	generation uint64 // of the partition that may still write here
	members    [span]*Member
	hashes     [span]uint64 // theirs: NewHash reads these without a look at each member
	weights    [span]uint16 // theirs, 1 in place of 0: a draw reads these
}

// A cell says which members stand in one list: a draw among them accepts every second one at least.
type cell struct {
	side  int
	zone  string
	class uint8 // of the weight
}

// idle is the class of the weight 0. Members of this class are picked only when no others are
// there, and all alike.
const idle = 255

// classOf returns the class of a weight: class c has the weights above half of 1<<c, up to 1<<c.
func classOf(weight int) uint8 {
	if weight <= 0 {
		return idle
	}
	return uint8(bits.Len(uint(weight - 1)))
}

// A list is an array in chunks. Lists of successive snapshots share the chunks that did not change.
type list struct {
	cell   cell
	n      int
	chunks table
	total  uint64 // of the weights
	bound  uint64 // no weight is above
	even   bool   // all weights are equal
}

// A table is the chunks of a list.
type table []*chunk

func (t table) at(i int) *Member { return t[uint(i)/span].members[uint(i)%span] }

// draw returns a member, with a chance in proportion to its weight; r is random. The
// common case is short, because drawUneven is not in it.
func (l *list) draw(r uint32) *Member {
	if !l.even {
		return l.drawUneven(remix(uint64(r)))
	}
	i := uint(uint64(r) * uint64(l.n) >> 32)
	return l.chunks[i/span].members[i%span]
}

// drawUneven accepts a member that is drawn with the chance weight/bound, which is above 1/2
// because all weights of a class are above half of their bound: so it takes less than two draws on
// average.
//
//go:noinline
func (l *list) drawUneven(r uint64) *Member {
	for {
		i := uint(r >> 32 * uint64(l.n) >> 32)
		c := l.chunks[i/span]
		if uint32(r)&(1<<16-1)*uint32(l.bound) < uint32(c.weights[i%span])<<16 {
			return c.members[i%span]
		}
		r = remix(r)
	}
}

// remix turns random bits into others: a draw asks the generator once.
func remix(r uint64) uint64 { return mix(r, 0xA0761D6478BD642F) }

// A partition is the writable side of a list. Its chunks are copied at the first write after a
// publication, so a batch of changes copies each chunk once.
type partition struct {
	list
	rank       rank
	generation uint64
	shared     bool // the table of chunks is in a published list
	common     uint16
	others     int // members whose weight is not common
}

func newPartition(c cell, r rank) *partition {
	p := &partition{list: list{cell: c, bound: 1}, rank: r}
	if c.class != idle {
		p.bound = 1 << c.class
	}
	return p
}

func (p *partition) add(m *Member) {
	w := drawWeight(m.Weight())
	if p.n == 0 {
		p.common = w
	}
	p.total += uint64(w)
	if w != p.common {
		p.others++
	}
	m.position = int32(p.n)
	p.put(p.n, m, hashString(m.instance), w)
	p.n++
}

// drawWeight is the weight in a draw. Members of weight 0 are drawn among themselves, all alike.
func drawWeight(weight int) uint16 { return uint16(max(weight, 1)) }

// remove moves the last member into m's place: the order is not kept, the rest is not moved. The
// weight is the one that m was added with.
func (p *partition) remove(m *Member) {
	w := p.chunks[m.position/span].weights[m.position%span]
	p.total -= uint64(w)
	if w != p.common {
		p.others--
	}
	p.n--
	if last := p.chunks.at(p.n); last != m {
		from := p.chunks[p.n/span]
		last.position = m.position
		p.put(int(m.position), last, from.hashes[p.n%span], from.weights[p.n%span])
	}
	p.put(p.n, nil, 0, 0)
	if p.n%span == 0 {
		p.chunks = p.chunks[:p.n/span]
	}
	if p.n > 0 && p.others == p.n {
		p.recount()
	}
}

// recount chooses another common weight when no member has the old one.
func (p *partition) recount() {
	p.common, p.others = p.chunks[0].weights[0], 0
	for i := range p.n {
		if p.chunks[i/span].weights[i%span] != p.common {
			p.others++
		}
	}
}

func (p *partition) put(i int, m *Member, hash uint64, weight uint16) {
	if p.shared {
		p.chunks, p.shared = slices.Clone(p.chunks), false
	}
	c := i / span
	if c == len(p.chunks) {
		p.chunks = append(p.chunks, &chunk{generation: p.generation})
	}
	if p.chunks[c].generation != p.generation {
		fresh := *p.chunks[c]
		fresh.generation = p.generation
		p.chunks[c] = &fresh
	}
	to := p.chunks[c]
	to.members[i%span], to.hashes[i%span], to.weights[i%span] = m, hash, weight
}

// publish returns the list as it is now; it will not change any more.
func (p *partition) publish() list {
	p.generation++
	p.shared = true
	p.even = p.others == 0
	return p.list
}

// A rank says in which order members are picked.
type rank uint8

const (
	unplaced       rank = iota // pending or gone
	ready                      // listed and answering
	reserved                   // lost, and nothing speaks against it
	drained                    // listed and answering, and drained by the policy
	failed                     // known to fail
	probing                    // listed, known to fail, and time for a probe
	drainedProbing             // the same, and drained by the policy
	ranks                      // their number
)

// A tier holds the members of one rank, in a partition for each cell.
type tier struct {
	cells map[cell]*partition
	order []*partition // the same, in the order in which they came
	n     int
}

func (t *tier) add(m *Member, c cell, r rank) {
	p := t.cells[c]
	if p == nil {
		if t.cells == nil {
			t.cells = make(map[cell]*partition)
		}
		p = newPartition(c, r)
		t.cells[c] = p
		t.order = append(t.order, p)
	}
	p.add(m)
	m.partition = p
	t.n++
}

func (t *tier) remove(m *Member) {
	m.partition.remove(m)
	m.partition = nil
	t.n--
}

// publish returns the lists that are not empty, those of weight 0 by themselves. It forgets the
// partitions that are: zones come and go.
func (t *tier) publish() (r ranked) {
	if len(t.order) == 0 {
		return r
	}
	t.order = slices.DeleteFunc(t.order, func(p *partition) bool {
		if p.n == 0 {
			delete(t.cells, p.cell)
		}
		return p.n == 0
	})
	for _, p := range t.order {
		if p.cell.class == idle {
			r.idle = append(r.idle, p.publish())
		} else {
			r.weighted = append(r.weighted, p.publish())
		}
	}
	return r
}
