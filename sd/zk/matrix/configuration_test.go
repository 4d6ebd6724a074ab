package matrix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"
	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd"
	"example.com/daytime/sd/internal/wait"
	"example.com/daytime/sd/sdtest"
	"example.com/daytime/sd/zk"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// twiceRow is F38: two processes are told to advertise the same address, and both insist.
func twiceRow(f *fleet) {
	f.row("F38", "an address advertised twice, for 10 s", func(r *row) {
		victim := r.servers[0]
		sampler := r.sample(victim.instance)
		backend, err := zk.OpenBackend(r.target)
		if err != nil {
			r.Fatal(err)
		}
		defer backend.Close()
		registrar, err := sd.NewRegistrar(backend, victim.instance, kitlog.NewNopLogger())
		if err != nil {
			r.Fatal(err)
		}
		registrar.Register()
		hold(paceTime)
		n := sampler.flips(victim.instance)
		if n > 7 { // three takeovers each, and the first
			r.Errorf("want at most 7 changes of the owner in %v, have %d", paceTime, n)
		}
		_, gone := sampler.missing(victim.instance, r.begun, time.Now())
		r.note("owner changed %d times, %d samples without", n, gone)
		r.note("%s and %s", victim.registrar.State().Phase, registrar.State().Phase)
		registrar.Deregister()
		r.kept(serverCount - 1)
	})
	f.remove(f.servers[0].instance) // whoever waits for it registers
	f.agree(5*time.Second, f.instances()...)
}

// flips counts the changes of a node's owner.
func (s *sampler) flips(instance string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.samples[instance]
	for i := 1; i < len(all); i++ {
		if all[i].owner != all[i-1].owner && all[i].owner != 0 {
			n++
		}
	}
	return n
}

// nameRow is F41: a ZooKeeper whose name is not known.
func nameRow(t *testing.T, r *rig) {
	addrs := append([]string{"no-such-host.invalid:2181"}, r.Addrs()...)
	target := sdtest.Target(t, targetText(addrs, "/name", sessionTimeout))
	begun := time.Now()
	for range 4 { // each begins with any of four
		if err := live(target, 0); err != nil {
			t.Error(err)
		}
	}
	r.report.add(line{id: "F41", fault: "the name of one ZooKeeper of four is unknown",
		converged: time.Since(begun) / 4})
}

// panicRow is F42: a handler that panics.
func panicRow(f *fleet) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	s := transport.NewServer(func(context.Context, any) (any, error) { panic("planted") }, nil, reply)
	go s.Serve(listener)
	defer s.Shutdown(context.Background())
	f.row("F42", "server: its handler panics", func(r *row) { r.misbehave(listener.Addr().String()) })
}

// deniedRow is F43: the directory may not be written.
func deniedRow(t *testing.T, r *rig) {
	if _, err := r.admin.Create("/denied", nil, 0,
		gozk.WorldACL(gozk.PermRead|gozk.PermAdmin)); err != nil {
		t.Fatal(err)
	}
	target := sdtest.Target(t, targetText(r.Addrs(), "/denied", sessionTimeout))
	instance := transporttest.FreeAddress(t)
	s, err := startServer(target, instance, service.New(instance), kitlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close(0)
	before := r.Leader(t).Zxid(t)
	hold(5 * time.Second)
	if state := s.registrar.State(); !errors.Is(state.Err, sd.ErrDenied) {
		t.Errorf("want the state to say that it is denied, have %v", state)
	}
	tried := r.Leader(t).Zxid(t) - before
	if tried > 5 {
		t.Errorf("want few tries, have %d transactions in 5 s", tried)
	}
	if _, err := r.admin.SetACL("/denied", gozk.WorldACL(gozk.PermAll), -1); err != nil {
		t.Fatal(err)
	}
	took := wait.For(t, 35*time.Second, func() error {
		if state := s.registrar.State(); state.Phase != sd.Registered {
			return errors.New(state.String())
		}
		return nil
	})
	r.report.add(line{id: "F43", fault: "no permission to register, for 5 s", converged: took,
		dials: s.tap.dialled(),
		notes: []string{fmt.Sprintf("%d transactions meanwhile", tried)}})
}
