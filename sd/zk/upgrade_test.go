package zk

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/daytime/sd/internal/record"
	"example.com/daytime/sd/internal/wait"
)

// A firstForm is the data of a node as the first version of this program wrote it.
type firstForm struct {
	Host    string    `json:"host"`    // the boot id
	Address string    `json:"address"` // the instance
	Process int       `json:"process"`
	Start   time.Time `json:"start"`
	Claims  int64     `json:"claims,omitempty"`
}

// isPredecessor is the first version's rule by which a node is taken over at once; any other is
// waited for.
func (us firstForm) isPredecessor(data []byte, session int64) bool {
	var other firstForm
	return json.Unmarshal(data, &other) == nil && other.Host != "" && other.Host == us.Host &&
		other.Address == us.Address && (other.Claims == 0 || other.Claims == session)
}

// A rolling upgrade from the first version: servers that are killed are replaced without a gap in
// anybody's list. And back: a server that was killed is another's to the first version, until its
// session has expired. Then forward again.
func TestRollingUpgradeAndBack(t *testing.T) {
	const servers = 3
	inLab(t, home, func(l *lab) {
		watcher, _ := l.connected()
		_, r := l.watch(watcher)
		instances := make([]string, servers)
		old := make([]firstForm, servers)
		for n := range instances {
			instances[n] = fmt.Sprintf("192.0.2.1:%d", 8897+n)
			old[n] = firstForm{Host: record.Self().Boot, Address: instances[n], Process: n + 1}
		}
		startOld := func(n int) {
			data, err := json.Marshal(old[n])
			if err == nil {
				err = l.Create(defaultPath+"/"+instances[n], data, int64(0x1000+n))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range instances {
			startOld(n)
		}
		l.shows(r, time.Second, instances...)
		for round := range 2 {
			emits := r.Emits()
			backends := make([]*Backend, servers)
			for n, instance := range instances { // the old process is gone, its node is there
				backends[n], _ = l.connected()
				l.announce(backends[n], instance)
			}
			wait.Pass(2 * time.Second)
			if have := r.Emits(); have != emits {
				t.Fatalf("round %d: want no change of the list by the upgrade, have %d", round, have-emits)
			}
			for n, instance := range instances { // back again
				data, stat, err := l.Get(defaultPath + "/" + instance)
				if err != nil || old[n].isPredecessor(data, stat.EphemeralOwner) {
					t.Fatalf("the first version: want a foreign node, have %s, %v", data, err)
				}
				l.kill(backends[n])
				took := l.eventually(time.Minute, func() error {
					if _, _, err := l.Get(defaultPath + "/" + instance); err == nil {
						return errors.New("still there")
					}
					return nil
				})
				if took < time.Second || took > defaultTimeout+2*time.Second {
					t.Errorf("the first version waits for %v, want about the session timeout", took)
				}
				startOld(n)
				l.shows(r, time.Second, instances...)
			}
		}
	})
}

// kill ends b as the end of its process does: its session lasts until it has expired.
func (l *lab) kill(b *Backend) {
	l.t.Helper()
	id := b.Stats().Session
	l.Refuse(true)
	l.Disconnect(id)
	b.Close()
	l.Refuse(false)
}
