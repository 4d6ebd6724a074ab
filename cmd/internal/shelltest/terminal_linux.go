package shelltest

import (
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// OpenTerminal returns the end of a pseudo-terminal that a program writes to, which is as wide as
// asked for, and a Console of its text, with CRLF as LF. The program's end is closed
// with the test.
func OpenTerminal(t testing.TB, columns uint16) (tty *os.File, screen *Console) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	size := &unix.Winsize{Row: 24, Col: columns}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	screen = NewConsole()
	read := make(chan struct{})
	go func() { // until the last one that has the other end open has closed it
		defer close(read)
		io.Copy(screen, carriageless{master})
	}()
	t.Cleanup(func() {
		tty.Close()
		<-read
		master.Close()
	})
	return tty, screen
}

// A carriageless reads without the carriage returns that a terminal adds.
type carriageless struct{ r io.Reader }

func (c carriageless) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	kept := 0
	for _, b := range p[:n] {
		if b != '\r' {
			p[kept] = b
			kept++
		}
	}
	return kept, err
}
