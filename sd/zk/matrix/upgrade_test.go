package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/endpoint"
	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/record"
	"example.com/daytime/service"
	"example.com/daytime/transport"
)

// roleFirst is a server as the first version of this program was.
const roleFirst = "first version"

// upgraded is how many servers of a fleet are taken back and forth.
const upgraded = 2

// A firstForm is the data of a node as the first version wrote it.
type firstForm struct {
	Host    string `json:"host"`    // the boot id
	Address string `json:"address"` // the instance
	Process int    `json:"process"`
}

// TestUpgrade goes back to the first version, whose node's data had another form, and forward
// again, with servers that are killed, under load.
func TestUpgrade(t *testing.T) {
	if !*runMatrix {
		t.Skip("takes 12 s: needs -matrix")
	}
	r := newRig(t, &report{})
	f := newFleet(t, r, "upgrade", plan{processes: true})
	sampler := f.sample(f.instances()...)
	hold(time.Second) // every node has been seen

	f.row("U1", "kill -9, back to the first version", func(r *row) {
		for i := range upgraded {
			c := r.become(i, roleFirst)
			r.converged = max(r.converged, r.await(r, removal, func() error { return r.isFirst(c.instance) }))
		}
		r.kept(serverCount - 1) // it waits for the end of a node that is another's to it
		r.agree(slack, r.instances()...)
	})
	f.row("U2", "kill -9, forward again", func(r *row) {
		killed := time.Now()
		var ghosts []ghost
		for i := range upgraded {
			owner := r.ownerOf(sampler, i)
			ghosts = append(ghosts, ghost{r.become(i, roleServer), owner})
		}
		hold(time.Until(killed.Add(removal)))
		r.neverLost(sampler, ghosts)
		r.kept(serverCount)
		r.agree(time.Second, r.instances()...)
	})
	t.Logf("load average %s\n%s", loadAverage(), r.report.table())
}

// become kills server i and starts it in another role.
func (f *fleet) become(i int, role string) *child {
	f.Helper()
	f.children[i].kill()
	f.children[i] = startChild(f, role, f.target.String(), f.children[i].instance)
	return f.children[i]
}

// isFirst returns an error unless the node of instance is the first version's.
func (f *fleet) isFirst(instance string) error {
	data, _, err := f.admin.Get(f.directory + "/" + instance)
	if err != nil {
		return err
	}
	var form firstForm
	if err := json.Unmarshal(data, &form); err != nil || form.Address != instance {
		return fmt.Errorf("want data of the first version, have %s", data)
	}
	return nil
}

// serveFirst is the first version until ctx is done.
func serveFirst(ctx context.Context) error {
	target, err := sd.ParseTarget(os.Getenv(targetVariable))
	if err != nil {
		return err
	}
	instance := os.Getenv(instanceVariable)
	listener, err := transport.Listen(ctx, instance)
	if err != nil {
		return err
	}
	server := transport.NewDaytimeServer(endpoint.New(service.New(instance)), kitlog.NewNopLogger())
	go server.Serve(listener)
	var hosts []string
	for _, h := range target.Hosts {
		hosts = append(hosts, h.String())
	}
	conn, _, err := gozk.Connect(hosts, sessionTimeout, gozk.WithLogInfo(false))
	if err != nil {
		return err
	}
	defer conn.Close()
	path, us := target.Path+"/"+instance, firstForm{record.Self().Boot, instance, os.Getpid()}
	for err := us.register(conn, path); err != nil && ctx.Err() == nil; err = us.register(conn, path) {
		hold(100 * time.Millisecond)
	}
	<-ctx.Done()
	err = conn.Delete(path, -1)
	hold(drainTime)
	return errors.Join(err, server.Shutdown(context.Background()))
}

// register creates the node, or replaces one that was written on this host for the same address. Any
// other is waited for.
func (us firstForm) register(conn *gozk.Conn, path string) error {
	own, err := json.Marshal(us)
	if err != nil {
		return err
	}
	create := gozk.CreateRequest{Path: path, Data: own, Acl: gozk.WorldACL(gozk.PermAll), Flags: gozk.FlagEphemeral}
	_, err = conn.Create(create.Path, create.Data, create.Flags, create.Acl)
	if !errors.Is(err, gozk.ErrNodeExists) {
		return err
	}
	data, stat, err := conn.Get(path)
	var other firstForm
	if err != nil || json.Unmarshal(data, &other) != nil || other.Host != us.Host || other.Address != us.Address {
		return errors.Join(err, gozk.ErrNodeExists)
	}
	_, err = conn.Multi(&gozk.DeleteRequest{Path: path, Version: stat.Version}, &create)
	return err
}
