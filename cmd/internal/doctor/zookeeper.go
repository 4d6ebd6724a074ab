package doctor

import (
	"context"
	"errors"

	"example.com/daytime/cmd/internal/doctor/words"
	"example.com/daytime/cmd/internal/probe"
	"example.com/daytime/sd/zk"
	"example.com/daytime/sd/zk/session"
)

// A zookeeper is the examination of a directory in ZooKeeper.
type zookeeper struct {
	*diagnosis
	how     session.Config
	path    string
	members []*member
	split   bool // they are of several ensembles
	dir     directory
}

// zookeeper examines a directory in ZooKeeper: the members, then the directory as the best of them
// has it, then the servers, and the directory once more, for what has changed meanwhile.
func (d *diagnosis) zookeeper(ctx context.Context) {
	defer d.Sort()
	how, path, err := zk.SessionOf(d.Target)
	if err == nil {
		err = how.Check()
	}
	if err != nil {
		d.Error("member", d.Registry, "correct --sd or the file it names", "%s", err.Error())
		return
	}
	z := &zookeeper{diagnosis: d, how: how, path: path}
	defer z.close()
	z.members = z.resolve(ctx)
	probe.Each(len(z.members), maxMembers, func(i int) { z.meet(ctx, z.members[i]) })
	z.checkMembers()
	if len(z.serving()) == 0 {
		d.Unchecked("directory, acl, policy", "no member can be asked")
		d.Unchecked("all", "it is not known who is registered")
		return
	}
	z.checkEnsemble()
	z.checkTLS()
	best := z.best()
	z.dir.path = path
	if err := best.within(ctx, max(listBound, z.Timeout), z.read); err != nil {
		z.dir.err = err
	}
	z.findOwners(ctx)
	d.ask(ctx, d.instances())
	z.readAgain(ctx, best)
	z.checkLag(ctx, best)
	z.checkDirectory()
	z.checkCredentials()
	z.checkNodes()
}

// readAgain reads the directory once more. What has left meanwhile is no finding, and what has come
// back is asked again.
func (z *zookeeper) readAgain(ctx context.Context, best *member) {
	if !z.dir.found || z.dir.err != nil {
		return
	}
	var reads []read
	err := best.within(ctx, max(listBound, z.Timeout), func(c *session.Conn) (err error) {
		reads, err = readNodes(c, z.path, z.names())
		return err
	})
	if err != nil {
		return // what was read first stands
	}
	var back []*node
	for i, n := range z.nodes {
		n.gone = errors.Is(reads[i].err, session.ErrNoNode)
		if n.gone || reads[i].err != nil || reads[i].czxid == n.czxid {
			continue
		}
		if reads[i].owner != n.owner {
			n.before, n.replaced = n.owner, true
		}
		n.take(reads[i])
		if n.nameErr == nil && n.found.Nature != probe.Daytime {
			back = append(back, n)
		}
	}
	z.ask(ctx, back)
}

// names are those of all children.
func (z *zookeeper) names() (names []string) {
	for _, n := range z.nodes {
		names = append(names, n.name)
	}
	return names
}

// findOwners asks the servers which sessions there are. By default they do not say.
func (z *zookeeper) findOwners(ctx context.Context) {
	for _, m := range z.serving() {
		dump, _, err := z.speaker(m).Ask(ctx, "dump")
		if err != nil {
			continue
		}
		if sessions, ok := words.Sessions(dump); ok {
			z.dir.sessions = sessions
			return
		}
	}
}
