package watch

import (
	"strings"
	"time"

	"example.com/daytime/sd"
	gozk "github.com/go-zookeeper/zk"
)

const (
	// claimTimeout is how soon after a claim a withdrawal or a takeover is over: a round trip and a
	// commit.
	claimTimeout = time.Second
	// clockInterval is how often a follower finds out whether it has been stopped.
	clockInterval = claimTimeout / 2
)

// A changes holds the events of children since the list, as far as their meaning is not certain. A
// server that withdraws its node, or takes over another, writes into it first, which is called a
// claim (see claim in package zk), and deletes it then. A session that expires deletes it without
// that. So:
//
//	events of one child                        it
//	Created                                    is there
//	Deleted                                    was lost
//	DataChanged, Deleted, Created              was taken over, or replaced by its owner: no change
//	DataChanged, Deleted within 1 s            withdrew
//	DataChanged, Deleted later                 was lost: its data was changed by something else
//
// A takeover may take longer than a second, and its claim may be older than the list. To wait for a
// Created that does not come costs a round trip, so that is done whenever there may be one. That a
// child withdrew is said only when it is certain. It was lost, when in doubt: the claim came before
// the list, or this process may have been stopped between the two events, so that they seem to be
// close to each other. A link that stalls between them and does not break cannot be told.
type changes struct {
	present map[string]bool  // whether each child exists, after its last event
	claimed map[string]claim // a takeover may follow
	left    map[string]bool  // of those that are gone: which withdrew

	listedAt time.Time
	before   int64     // the number of the last event that may be older than the list
	doubt    time.Time // until then claims are no sign of a withdrawal
	ran      time.Time // when the process was last known to run
}

// A claim is a change of a child's data.
type claim struct {
	at   time.Time
	sure bool // a withdrawal may follow as well
}

func newChanges() changes {
	return changes{
		present: map[string]bool{},
		claimed: map[string]claim{},
		left:    map[string]bool{},
	}
}

// listed begins anew with a list, which may know of the events up to that number. Events that are
// held back are in it.
func (c *changes) listed(now time.Time, number int64) {
	clear(c.present)
	clear(c.claimed)
	clear(c.left)
	c.listedAt, c.before = now, number
	if c.ran.IsZero() {
		c.ran = now
	}
	c.running(now)
}

// running notes that the process runs. If it has not for a while, events that came meanwhile are
// read only now, and their times say nothing.
func (c *changes) running(now time.Time) {
	if now.Sub(c.ran) > claimTimeout {
		c.doubt = now.Add(claimTimeout)
	}
	c.ran = now
}

// add takes in an event of a child.
func (c *changes) add(child string, e event) {
	name := strings.Clone(child) // which does not hold on to the path
	claimed, ok := c.claimed[name]
	switch {
	case name == "":
	case e.Type == gozk.EventNodeCreated:
		c.present[name] = true
		delete(c.claimed, name)
		delete(c.left, name)
	case e.Type == gozk.EventNodeDeleted:
		c.present[name] = false
		if claimed.sure && e.at.Sub(claimed.at) < claimTimeout {
			c.left[name] = true
		}
		if !ok && e.at.Sub(c.listedAt) < claimTimeout { // its claim may be older than the list
			c.claimed[name] = claim{}
		}
	case e.Type == gozk.EventNodeDataChanged:
		c.claimed[name] = claim{e.at, e.number > c.before && !e.at.Before(c.doubt)}
	}
}

// certain takes out all that is certain, as a difference to set. The rest stays: children that were
// deleted and may have been taken over.
func (c *changes) certain(set map[string]struct{}) (diff sd.Change) {
	for name, is := range c.present {
		if _, claimed := c.claimed[name]; !is && claimed {
			continue
		}
		_, was := set[name]
		switch {
		case is && !was:
			diff.Up = append(diff.Up, name)
		case was && !is:
			diff.Down = append(diff.Down, name)
			if c.left[name] {
				diff.Withdrew = append(diff.Withdrew, name)
			}
		}
		delete(c.present, name)
		delete(c.left, name)
	}
	return diff
}

// isHolding reports whether something is held back, after certain.
func (c *changes) isHolding() bool { return len(c.present) > 0 }

// resolve notes that every event of the takeovers that were waited for has come.
func (c *changes) resolve() {
	for name := range c.present {
		delete(c.claimed, name)
	}
}
