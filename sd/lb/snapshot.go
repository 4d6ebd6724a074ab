package lb

import (
	"slices"
	"sync"

	kitendpoint "github.com/go-kit/kit/endpoint"
)

// A Snapshot is the set of members that one pick chooses from. It never changes; the Pool publishes another one.
type Snapshot struct {
	ready   list // listed, and nothing against them
	aside   list // listed, and ejected
	reserve list // no longer listed, and not yet given up

	n           int           // how many of them are open to a pick
	asideOpen   bool          // too many are set aside: ejections are ignored
	reserveOpen bool          // too few are listed: the registry is not believed
	closed      bool          // Close has been called: nobody will come
	superseded  chan struct{} // closed when the next snapshot is there

	once      sync.Once // guards endpoints, which only Pool.Endpoints wants
	endpoints []kitendpoint.Endpoint
}

// Len returns how many members are open to a pick.
func (s *Snapshot) Len() int { return s.n }

// At returns member i, 0 <= i < Len. The order means nothing, except that it is the same at every call.
func (s *Snapshot) At(i int) *Member {
	if i < s.ready.n {
		return s.ready.at(i)
	}
	return s.beyond(i - s.ready.n)
}

// beyond continues At past the ready members.
func (s *Snapshot) beyond(i int) *Member {
	if s.asideOpen {
		if i < s.aside.n {
			return s.aside.at(i)
		}
		i -= s.aside.n
	}
	return s.reserve.at(i)
}

// runs yields all open members, in chunks of which the first n count: a fraction of the time that At takes for each.
func (s *Snapshot) runs(yield func(c *chunk, n int) bool) {
	lists := [...]list{s.ready, s.aside, s.reserve}
	if !s.asideOpen {
		lists[1].n = 0
	}
	if !s.reserveOpen {
		lists[2].n = 0
	}
	for _, l := range lists {
		for left := l.n; left > 0; left -= span {
			if !yield(l.chunks[(l.n-left)/span], min(left, span)) {
				return
			}
		}
	}
}

// settle decides which lists are open. Those set aside are when they and the doubted ones, which are ready but failed
// last, are more than half of the listed ones; the reserve is when the listed ones are fewer than half of all, and the
// reserve is trusted, or when there is nobody else.
func (s *Snapshot) settle(doubted int, trusted bool) {
	listed := s.ready.n + s.aside.n
	s.n = s.ready.n
	if s.asideOpen = crowded(s.aside.n+doubted, listed); s.asideOpen {
		s.n += s.aside.n
	}
	if s.reserveOpen = listed < s.reserve.n && (trusted || listed == 0); s.reserveOpen {
		s.n += s.reserve.n
	}
}

// crowded reports whether bad is more than half of listed.
func crowded(bad, listed int) bool { return 2*bad > listed }

// only returns a snapshot of l alone, for a pick that falls back on it.
func (s *Snapshot) only(l list) *Snapshot {
	return &Snapshot{ready: l, n: l.n}
}

// span is the number of members in a chunk: near the square root of the largest set in mind, 100,000, so that a chunk
// and the table of chunks, both copied at a change, are of one size.
const span = 256

type chunk struct {
	edition uint64 // of the shelf that may still write here
	members [span]*Member
	hashes  [span]uint64 // theirs: a Hash that went to each member for it would wait for memory
}

// A list is an array in chunks. Lists of successive snapshots share the chunks that did not change.
type list struct {
	n      int
	chunks []*chunk
}

func (l *list) at(i int) *Member { return l.chunks[uint(i)/span].members[uint(i)%span] }

// A shelf is the writable side of a list. Its chunks are copied at the first write after a publication, so a batch of
// changes copies each chunk once.
type shelf struct {
	list
	edition uint64
	shared  bool // the table of chunks is in a published list
}

func (s *shelf) add(m *Member) {
	m.position = s.n
	s.put(s.n, m)
	s.n++
}

// remove moves the last member into m's place: the order is not kept, the rest is not moved.
func (s *shelf) remove(m *Member) {
	s.n--
	if last := s.at(s.n); last != m {
		last.position = m.position
		s.put(m.position, last)
	}
	s.put(s.n, nil)
	if s.n%span == 0 {
		s.chunks = s.chunks[:s.n/span]
	}
}

func (s *shelf) put(i int, m *Member) {
	if s.shared {
		s.chunks, s.shared = slices.Clone(s.chunks), false
	}
	c := i / span
	if c == len(s.chunks) {
		s.chunks = append(s.chunks, &chunk{edition: s.edition})
	}
	if s.chunks[c].edition != s.edition {
		s.chunks[c] = &chunk{edition: s.edition, members: s.chunks[c].members, hashes: s.chunks[c].hashes}
	}
	s.chunks[c].members[i%span] = m
	if m != nil {
		s.chunks[c].hashes[i%span] = m.hash
	}
}

// publish returns the list as it is now; it will not change any more.
func (s *shelf) publish() list {
	s.edition++
	s.shared = true
	return s.list
}
