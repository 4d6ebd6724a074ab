package moving

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/zk/zktest"
)

var (
	long        = flag.Bool("moving", false, "kill both registries in each step")
	serverCount = flag.Int("moving.servers", 10, "servers of the fleet")
	rate        = flag.Int("moving.rate", 200, "requests a second, of all clients together")
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

func TestFromZooKeeperToEtcd(t *testing.T) {
	t.Parallel()
	zookeeper, etcd := zktest.Start(t), etcdtest.Start(t)
	move(t, registry{"zk://" + zookeeper.Addr() + "/go_servers", zookeeper},
		registry{"etcd://" + etcd.Addr() + "/go_servers", etcd}, 0)
}

func TestFromZooKeeperToZooKeeper(t *testing.T) {
	t.Parallel()
	one, two := zktest.Start(t), zktest.Start(t)
	move(t, registry{"zk://" + one.Addr() + "/go_servers", one},
		registry{"zk://" + two.Addr() + "/go_servers", two}, 1)
}

// A registry is one that can be killed.
type registry struct {
	url     string
	process interface {
		Kill(testing.TB)
		Launch(testing.TB)
		Await(testing.TB)
	}
}

// killed has do done while the registry is down, and returns when it is back.
func (r registry) killed(t testing.TB, do func()) {
	r.process.Kill(t)
	do()
	r.process.Launch(t)
	r.process.Await(t)
}

// A step is one of a move. Do takes it for a part of the servers or clients, from 0 to 1.
type step struct {
	name string
	do   func(from, until float64)
}

// steps are those of a move, with a rollback in the middle: to the start in the long form.
func (f *fleet) steps(from, to registry) []step {
	both := []string{from.url, to.url}
	steps := []step{
		{"1: servers in both", f.restart(both...)},
		{"2: clients on both", f.replace(both...)},
		{"back to 1", f.replace(from.url)},
	}
	if *long {
		steps = append(steps,
			step{"back to 0", f.restart(from.url)},
			step{"1 again", f.restart(both...)})
	}
	return append(steps,
		step{"2 again", f.replace(both...)},
		step{"3: clients on the new one", f.replace(to.url)},
		step{"4: servers in the new one", f.restart(to.url)})
}

// move takes a fleet from one registry to another. In the short form one of them is killed in each
// step, by turns, beginning with that of a number.
func move(t *testing.T, from, to registry, first int) {
	f := newFleet(t, from.url)
	defer f.close()
	for i, step := range f.steps(from, to) {
		killed := []registry{from, to}
		if !*long {
			killed = killed[(first+i)%2:][:1]
		}
		part := 1 / float64(len(killed))
		for n, r := range killed {
			begin := part * float64(n)
			r.killed(t, func() { step.do(begin, begin+part/batchCount) })
			step.do(begin+part/batchCount, begin+part)
		}
		f.agree(step.name)
	}
	f.wantListed(from.url)
	f.wantListed(to.url, f.instances...)
}
