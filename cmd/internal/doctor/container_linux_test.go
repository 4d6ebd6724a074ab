package doctor

import (
	"net"
	"os/exec"
	"syscall"
	"testing"

	"example.com/daytime/cmd/internal/shelltest"
)

// Who listens here says nothing about a server in another network: that of a container, whose
// process has another number here, or whose address is none of this host's. They have the boot id
// of their host.
func TestContainersOfThisHost(t *testing.T) {
	container := exec.Command("cat")
	container.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID}
	in, err := container.StdinPipe() // its end is that of the process
	if err != nil {
		t.Fatal(err)
	}
	if err := container.Start(); err != nil {
		t.Skipf("no PID namespace: %v", err)
	}
	defer container.Wait()
	defer in.Close()

	w := newWorld(t, 1)
	published := shelltest.Serve(t)
	w.enter(published, document(published, w.boot(), 1)) // as the process calls itself there
	all, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	elsewhere := "192.0.2.7:" + port(all.Addr().String())
	w.enter(elsewhere, document(elsewhere, w.boot(), 1<<22+1))
	for session, name := range []string{"192.0.2.8:8897", "192.0.2.9:8897"} { // begun in one second
		data := []byte(document(name, w.boot(), 1))
		if err := w.registry.Create("/go_servers/"+name, data, strange+1+int64(session)); err != nil {
			t.Fatal(err)
		}
	}
	if r := examine(t, w.target); r.Has("process") {
		t.Errorf("want nothing about processes, have\n%s", problems(r))
	}
}
