package zkdev

import (
	"fmt"
	"testing"
)

// createsInMultis makes znodes by every operation and with all flags, each in a multi of its own:
// there the flags say what is made.
func createsInMultis(t *testing.T, l *transcript, dial dialer) {
	c := l.join(t, dial, "c")
	c.create("/cm", "", 0)
	for _, op := range []Op{OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL} {
		for flags := int32(-1); flags < 8; flags++ {
			path := fmt.Sprintf("/cm/%d-%d-", op, flags)
			made := part{op, func(e *encoder) {
				e.create(path, "", flags, openACL())
				if op == OpCreateTTL {
					e.int64(100000)
				}
			}}
			c.multiOf(path, made)
			c.multiOf(path+" second", creates(path+"0", 0), made)
			c.multiOf(path+" after a failure", checks("/cm", 9), made)
		}
	}
	c.path(OpGetEphemerals, "/cm")
	c.readOp(OpGetChildren2, "/cm", false)
	c.quit()
}

// TestMultiWithoutAPath has what the scripts leave out: a real ZooKeeper uses up a zxid that no
// reply tells.
func TestMultiWithoutAPath(t *testing.T) {
	bubble(t, func(t *testing.T, s *Server, l *transcript) {
		w := l.join(t, dialTo(s), "w")
		nowhere := func(e *encoder) { e.null(); e.int32(-1) }
		for _, p := range []part{
			{OpCheck, nowhere}, {OpDelete, nowhere},
			{OpSetData, func(e *encoder) { e.null(); e.null(); e.int32(-1) }},
			{OpCreate, func(e *encoder) { e.null(); e.null(); e.acls(openACL()); e.int32(0) }},
		} {
			if have := w.multiOf("no path", creates("/a", 0), p); have != MarshallingError {
				t.Errorf("operation %d: have code %d, want MarshallingError", p.op, have)
			}
		}
		if _, _, err := s.Get("/a"); err != NoNode {
			t.Errorf("have %v, want that nothing was done", err)
		}
	})
}
