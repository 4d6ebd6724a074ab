package watch

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/layout"
	"example.com/daytime/sd/zk/session"
	gozk "github.com/go-zookeeper/zk"
)

// maxName and maxLeftOut bound how much is kept of a child that is left out, in bytes: its name,
// and that with the reason. An Instancer shows 100, which the name of a Dubbo provider would fill.
const (
	maxName    = 40
	maxLeftOut = 300
)

// readLayout is readRecord for a child in the layout of another system. A child that could be read
// before, and cannot any more, stays as it was.
func readLayout(
	l layout.Layout, child string, r session.Read, before statement,
) (now statement, isNews bool) {
	switch {
	case errors.Is(r.Err, gozk.ErrNoNode):
		return statement{}, false
	case r.Err != nil && before.instance != "":
		before.unread = true
		return before, true
	case r.Err != nil:
		return statement{unread: true, instance: leftOut(child, r.Err)}, true
	}
	entry, err := l.Read(child, r.Data)
	switch {
	case errors.Is(err, layout.ErrNobody):
		return statement{}, true
	case err != nil:
		return statement{instance: leftOut(child, err)}, true
	}
	return statement{Attributes: entry.Attributes, instance: entry.Instance}, true
}

// leftOut is told in the place of an instance for a child that cannot be read. It is none, so that
// an Instancer leaves it out, counts it, and shows it: the child, and the reason.
func leftOut(child string, why error) string {
	text := fmt.Sprintf("%s: %v", child[:min(len(child), maxName)], why)
	return text[:min(len(text), maxLeftOut)]
}

// A grouping turns changes of children into those of the instances that they stand for. Several
// children may stand for one, as those of a server that was restarted under another id: it is there
// as long as one of them is, with the attributes of the newest.
type grouping struct {
	attributes bool                 // which are asked for
	said       map[string]statement // of each child that stands for an instance
	children   map[string][]string  // of each instance
}

func newGrouping(attributes bool) *grouping { return &grouping{attributes: attributes} }

// A standing is what is told of an instance.
type standing struct {
	statement
	present bool
}

// standing is that of an instance now.
func (i *grouping) standing(instance string) (s standing) {
	var newest string
	for _, child := range i.children[instance] {
		said := i.said[child]
		later := said.Since.Compare(s.Since)
		if !s.present || later > 0 || later == 0 && child > newest {
			s, newest = standing{said, true}, child
		}
	}
	return s
}

// apply takes in a change of children, of which they now say that, and returns the one of
// instances.
//
// The systems whose layouts these are do not claim a node before they remove it, so that a removal
// cannot be told from an expiry. An instance withdrew if none of its children was removed, or
// cannot be read any more: then one is still there, and says that it is not to be called, or stands
// for another instance.
func (i *grouping) apply(c sd.Change, said map[string]statement) sd.Change {
	diff := sd.Change{Reset: c.Reset, Lacking: c.Lacking}
	if c.Reset {
		i.list(&diff, c.Up, said)
		return diff
	}
	before, lost := map[string]standing{}, map[string]bool{}
	for _, child := range c.Down {
		lost[i.said[child].instance] = true
		i.replace(child, statement{}, before)
	}
	for _, child := range slices.Concat(c.Up, slices.Collect(maps.Keys(c.Attributes)), c.Unread) {
		if now := said[child].instance; now != "" && sd.CheckInstance(now) != nil { // see leftOut
			lost[i.said[child].instance] = true
		}
		i.replace(child, said[child], before)
	}
	for instance, was := range before {
		i.compare(&diff, instance, was)
	}
	diff.Withdrew = slices.DeleteFunc(slices.Clone(diff.Down), func(s string) bool { return lost[s] })
	return diff
}

// list takes in all children, and adds the instances for which they stand to diff.
func (i *grouping) list(diff *sd.Change, children []string, said map[string]statement) {
	i.said = make(map[string]statement, len(children))
	i.children = make(map[string][]string, len(children))
	for _, child := range children {
		i.put(child, said[child])
	}
	diff.Up = make([]string, 0, len(i.children))
	for instance := range i.children {
		i.compare(diff, instance, standing{})
	}
}

// put notes a child that stands for an instance.
func (i *grouping) put(child string, now statement) {
	if now.instance != "" {
		i.said[child] = now
		i.children[now.instance] = append(i.children[now.instance], child)
	}
}

// replace notes what a child says now, and how the instances that this concerns stood before.
func (i *grouping) replace(child string, now statement, before map[string]standing) {
	was := i.said[child].instance
	for _, instance := range []string{was, now.instance} {
		if _, noted := before[instance]; !noted && instance != "" {
			before[instance] = i.standing(instance)
		}
	}
	if was != "" {
		delete(i.said, child)
		others := slices.DeleteFunc(i.children[was], func(s string) bool { return s == child })
		if i.children[was] = others; len(others) == 0 {
			delete(i.children, was)
		}
	}
	i.put(child, now)
}

// compare adds to diff how an instance that stood so before stands now.
func (i *grouping) compare(diff *sd.Change, instance string, was standing) {
	now := i.standing(instance)
	switch {
	case now.present && !was.present:
		diff.Up = append(diff.Up, instance)
	case was.present && !now.present:
		diff.Down = append(diff.Down, instance)
	}
	if now.present && i.attributes {
		add(diff, instance, now.statement, was.statement)
	}
}
