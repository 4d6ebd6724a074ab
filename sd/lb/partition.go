package lb

import "slices"

// span is the number of members in a chunk: near the square root of 100,000, the largest set that
// this is made for, so that a chunk and the table of chunks, both copied at a change, are of one
// size.
const span = 256

type chunk struct {
	generation uint64 // of the partition that may still write here
	members    [span]*Member
	hashes     [span]uint64 // theirs: NewHash reads these without a look at each member
}

// A list is an array in chunks. Lists of successive snapshots share the chunks that did not change.
type list struct {
	n      int
	chunks []*chunk
}

func (l *list) at(i int) *Member { return l.chunks[uint(i)/span].members[uint(i)%span] }

// A partition is the writable side of a list. Its chunks are copied at the first write after a
// publication, so a batch of changes copies each chunk once.
type partition struct {
	list
	generation uint64
	shared     bool // the table of chunks is in a published list
}

func (p *partition) add(m *Member) {
	m.position = p.n
	p.put(p.n, m)
	p.n++
}

// remove moves the last member into m's place: the order is not kept, the rest is not moved.
func (p *partition) remove(m *Member) {
	p.n--
	if last := p.at(p.n); last != m {
		last.position = m.position
		p.put(m.position, last)
	}
	p.put(p.n, nil)
	if p.n%span == 0 {
		p.chunks = p.chunks[:p.n/span]
	}
}

func (p *partition) put(i int, m *Member) {
	if p.shared {
		p.chunks, p.shared = slices.Clone(p.chunks), false
	}
	c := i / span
	if c == len(p.chunks) {
		p.chunks = append(p.chunks, &chunk{generation: p.generation})
	}
	if old := p.chunks[c]; old.generation != p.generation {
		p.chunks[c] = &chunk{generation: p.generation, members: old.members, hashes: old.hashes}
	}
	p.chunks[c].members[i%span] = m
	if m != nil {
		p.chunks[c].hashes[i%span] = m.hash
	}
}

// publish returns the list as it is now; it will not change any more.
func (p *partition) publish() list {
	p.generation++
	p.shared = true
	return p.list
}
