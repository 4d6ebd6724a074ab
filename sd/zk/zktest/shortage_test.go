package zktest

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// A poorListener has no descriptor for the first connections.
type poorListener struct {
	net.Listener
	poor int
}

func (l *poorListener) Accept() (net.Conn, error) {
	if l.poor > 0 {
		l.poor--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// A proxy goes on once there are descriptors again.
func TestProxyOutlivesAShortage(t *testing.T) {
	ln, err := listenLow()
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{tb: t, addr: ln.Addr().String(), links: map[*link]struct{}{}, hang: true}
	p.serve(&poorListener{ln, 3})
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := poll(5*time.Second, pollInterval, func() error {
		if p.Accepted() == 0 {
			return errors.New("not accepted")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	p.Refuse()
	p.Reset()
	p.running.Wait()
}
