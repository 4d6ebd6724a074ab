package zk_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"example.com/daytime/sd"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
)

// A layoutMemory is a directory that other systems write, for the conformance suite: an entry that
// is handed over is one more child with the same address, whose predecessor is removed after it.
type layoutMemory struct {
	*memory
	child func(id int, instance string) (name string, data []byte)
	n     int
	of    map[string]string // the child of each instance
}

func (m *layoutMemory) Open() (sd.Backend, error) { return zk.Opener(zk.Dial(m.Dial))(m.target) }

func (m *layoutMemory) Lacks() sdtest.Lacks {
	return sdtest.Lacks{Announce: true, Withdrew: true, Policy: true}
}

func (m *layoutMemory) Put(instance string) error {
	m.n++
	name, data := m.child(m.n, instance)
	if err := m.Create("/go_servers/"+name, data, 0); err != nil {
		return err
	}
	before, handOver := m.of[instance]
	m.of[instance] = name
	if !handOver {
		return nil
	}
	return m.Delete("/go_servers/" + before)
}

func (m *layoutMemory) Remove(instance string) error {
	child := m.of[instance]
	delete(m.of, instance)
	return m.Delete("/go_servers/" + child)
}

func (m *layoutMemory) Instances() ([]string, error) {
	return slices.Collect(maps.Keys(m.of)), nil
}

// Watch keeps the contract in every layout.
func TestLayoutConformance(t *testing.T) {
	for layout, child := range map[string]func(id int, instance string) (string, []byte){
		"curator": func(id int, instance string) (string, []byte) {
			at := netip.MustParseAddrPort(instance)
			return fmt.Sprint("id", id), curator(at.Addr().String(), int(at.Port()), 100, 0)
		},
		"dubbo": func(id int, instance string) (string, []byte) { return dubboGo(instance, fmt.Sprint("&pid=", id)), nil },
	} {
		for _, mode := range []string{"persistent", "children"} {
			t.Run(layout+" "+mode, func(t *testing.T) {
				sdtest.Run(t, bubble, func(t testing.TB) sdtest.Harness {
					text := "zk://zookeeper.example.com/go_servers?watch=" + mode + "&layout=" + layout
					return &layoutMemory{newMemory(t, text), child, 0, map[string]string{}}
				})
			})
		}
	}
}
