package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"example.com/daytime/transport"
)

// reset is the error of a read after a RST.
func reset() error {
	return &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
}

// endless repeats a byte.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// nothing is a reader that never makes progress.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// ends returns a reader of s that ends with err.
func ends(s string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(s), iotest.ErrReader(err))
}

func TestReadLine(t *testing.T) {
	full := strings.Repeat("x", transport.MaxLine-1)
	for _, test := range []struct {
		name string
		in   io.Reader
		want string
		errs []error
	}{
		{"crlf", strings.NewReader("now\r\n"), "now", nil},
		{"lf", strings.NewReader("now\n"), "now", nil},
		{"after an empty line", strings.NewReader("\nnow\r\n"), "now", nil},
		{"after blank lines", strings.NewReader(" \r\n\t\n\x00\x1b\r\nnow\n"), "now", nil},
		{"after a blank line, without a line end", strings.NewReader("\r\nnow"), "now", nil},
		{"after a blank line, reset", ends("\nnow", reset()), "now", nil},
		{"longest after a blank line", strings.NewReader("\n" + full[1:] + "\n"), full[1:], nil},
		{"first of two lines", strings.NewReader("now\nthen\n"), "now", nil},
		{"reset after the line", ends("now\r\n", reset()), "now", nil},
		{"deadline after the line", ends("now\r\n", os.ErrDeadlineExceeded), "now", nil},
		{"error together with the line", iotest.DataErrReader(strings.NewReader("now\n")), "now", nil},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("now\r\n")), "now", nil},
		{"no line end", strings.NewReader("now"), "now", nil},
		{"half a line end", strings.NewReader("now\r"), "now", nil},
		{"reset without a line end", ends("now", reset()), "now", nil},
		{"one byte", strings.NewReader("n"), "n", nil},
		{"binary", strings.NewReader("\x00\xffa\x1b\r\n"), "\x00\xffa\x1b", nil},
		{"not ASCII", strings.NewReader("é\r\n"), "é", nil},
		{"carriage return inside", strings.NewReader("a\rb\r\r\n"), "a\rb\r", nil},
		{"longest", strings.NewReader(full + "\n"), full, nil},
		{"longest without a line end", strings.NewReader(full + "x"), full + "x", nil},
		{"nothing", strings.NewReader(""), "", []error{transport.ErrNoReply, io.ErrUnexpectedEOF}},
		{"reset before a byte", iotest.ErrReader(reset()), "",
			[]error{transport.ErrNoReply, syscall.ECONNRESET}},
		{"deadline before a byte", iotest.ErrReader(os.ErrDeadlineExceeded), "",
			[]error{os.ErrDeadlineExceeded}},
		{"stalled half line", ends("no", os.ErrDeadlineExceeded), "", []error{os.ErrDeadlineExceeded}},
		{"half a line, then broken", ends("no", io.ErrClosedPipe), "", []error{io.ErrClosedPipe}},
		{"one too long", strings.NewReader(full + "x\n"), "", []error{transport.ErrTooLong}},
		{"one too long without a line end", strings.NewReader(full + "xx"), "",
			[]error{transport.ErrTooLong}},
		{"too long after a blank line", strings.NewReader("\n" + full + "\n"), "",
			[]error{transport.ErrTooLong}},
		{"an empty line alone", strings.NewReader("\r\n"), "",
			[]error{transport.ErrNoReply, io.ErrUnexpectedEOF}},
		{"nothing printable", strings.NewReader("\x00\xff \u202e\x1b"), "",
			[]error{transport.ErrNoReply, io.ErrUnexpectedEOF}},
		{"an empty line, then reset", ends("\n", reset()), "",
			[]error{transport.ErrNoReply, syscall.ECONNRESET}},
		{"an empty line, then silence", ends("\n", os.ErrDeadlineExceeded), "",
			[]error{os.ErrDeadlineExceeded}},
		{"empty lines without end", io.LimitReader(endless('\n'), 1<<30), "",
			[]error{transport.ErrTooLong}},
		{"a gigabyte", io.LimitReader(endless('x'), 1<<30), "", []error{transport.ErrTooLong}},
		{"no progress", nothing{}, "", []error{io.ErrNoProgress}},
	} {
		t.Run(test.name, func(t *testing.T) {
			have, err := transport.ReadLine(test.in)
			if have != test.want || (err != nil) != (test.errs != nil) {
				t.Errorf("want %q, %v, have %q, %v", test.want, test.errs, have, err)
			}
			wantIs(t, err, test.errs...)
		})
	}
}

// A deadline is no "no reply": the two are told apart.
func TestReadLineTellsSilenceFromTheEnd(t *testing.T) {
	_, err := transport.ReadLine(iotest.ErrReader(os.ErrDeadlineExceeded))
	if errors.Is(err, transport.ErrNoReply) {
		t.Errorf("want no %v, have %v", transport.ErrNoReply, err)
	}
}

// counting counts the bytes that are read through it.
type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestReadLineStopsReading(t *testing.T) {
	r := &counting{r: endless('x')}
	transport.ReadLine(r)
	if want := transport.MaxLine + 1; r.n != want {
		t.Errorf("want %d bytes read, have %d", want, r.n)
	}
}

func TestWriteLine(t *testing.T) {
	longest := strings.Repeat("x", transport.MaxLine-2)
	for _, line := range []string{"n", "now", " \x00\xffé", longest} {
		var have bytes.Buffer
		if err := transport.WriteLine(&have, line); err != nil || have.String() != line+"\r\n" {
			t.Errorf("want %q, have %q, %v", line+"\r\n", have.String(), err)
		}
	}
	for _, line := range []string{"", " ", "\x00\xff", "a\nb", "a\rb", "\n", longest + "x"} {
		var have bytes.Buffer
		err := transport.WriteLine(&have, line)
		wantIs(t, err, transport.ErrNotALine)
		if have.Len() > 0 {
			t.Errorf("want nothing written, have %q", have.String())
		}
	}
}

func TestWriteLineReturnsTheWriteError(t *testing.T) {
	r, w := io.Pipe()
	r.CloseWithError(io.ErrClosedPipe)
	if err := transport.WriteLine(w, "now"); err != io.ErrClosedPipe {
		t.Errorf("want %v, have %v", io.ErrClosedPipe, err)
	}
}

// A line that WriteLine takes is read back; of one that it refuses no byte is written.
func FuzzWriteLine(f *testing.F) {
	for _, seed := range []string{"", "now", "a\rb", "\n", "\x1b[31m", strings.Repeat("x", 300)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		var wire bytes.Buffer
		if err := transport.WriteLine(&wire, line); err != nil {
			wantIs(t, err, transport.ErrNotALine)
			return
		}
		have, err := transport.ReadLine(iotest.OneByteReader(&wire))
		if err != nil || have != line {
			t.Errorf("want %q, have %q, %v", line, have, err)
		}
	})
}

// plainReadLine is ReadLine without regard to how the bytes come.
func plainReadLine(in []byte) (line string, err error) {
	visible := func(r rune) bool { return unicode.IsPrint(r) && r != ' ' && r != utf8.RuneError }
	head := string(in[:min(len(in), transport.MaxLine)])
	for {
		line, rest, complete := strings.Cut(head, "\n")
		switch {
		case strings.ContainsFunc(line, visible) && (complete || len(in) <= transport.MaxLine):
			return strings.TrimSuffix(line, "\r"), nil
		case complete:
			head = rest
		case len(in) > transport.MaxLine:
			return "", transport.ErrTooLong
		default:
			return "", transport.ErrNoReply
		}
	}
}

// However the bytes come in pieces and however they end, the result is the same and within bounds.
func FuzzReadLine(f *testing.F) {
	for _, seed := range []string{
		"", "now\r\n", "now", "\r", "\n\n", "a\rb\n", "\n \r\nnow\n", "\x00\n\xff",
		strings.Repeat("x", 256), strings.Repeat("x", 257) + "\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		line, err := transport.ReadLine(bytes.NewReader(in))
		if len(line) > transport.MaxLine || strings.Contains(line, "\n") {
			t.Errorf("want a line, have %q", line)
		}
		if want, target := plainReadLine(in); target != nil {
			wantIs(t, err, target)
		} else if err != nil || line != want {
			t.Errorf("want %q, have %q, %v", want, line, err)
		}
		for _, r := range []io.Reader{
			iotest.OneByteReader(bytes.NewReader(in)),
			iotest.DataErrReader(bytes.NewReader(in)),
			iotest.HalfReader(bytes.NewReader(in)),
		} {
			again, errAgain := transport.ReadLine(r)
			if again != line || (err == nil) != (errAgain == nil) {
				t.Errorf("want %q, %v, have %q, %v", line, err, again, errAgain)
			}
		}
	})
}

func BenchmarkReadLine(b *testing.B) {
	r := strings.NewReader("")
	b.ReportAllocs()
	for b.Loop() {
		r.Reset("127.0.0.1:8897: 2006-01-02 15:04:05.999999 -0700 MST\r\n")
		transport.ReadLine(r)
	}
}

func BenchmarkWriteLine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		transport.WriteLine(io.Discard, "127.0.0.1:8897: 2006-01-02 15:04:05.999999 -0700 MST")
	}
}
