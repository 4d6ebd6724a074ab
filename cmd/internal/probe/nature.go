package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"example.com/daytime/transport"
)

// A Nature is what an address turns out to be.
type Nature string

const (
	Daytime     Nature = "daytime"           // it tells a time
	Refused     Nature = "refused"           // nobody listens
	Unreachable Nature = "unreachable"       // there is no way to it
	NoConnect   Nature = "no connection"     // a connection does not come about in time
	Silent      Nature = "silent"            // it accepts, and says nothing
	Empty       Nature = "empty"             // it hangs up without a byte
	Reset       Nature = "reset"             // it resets the connection
	HTTP        Nature = "HTTP"              // it speaks HTTP
	TLS         Nature = "TLS"               // it speaks TLS
	Clear       Nature = "clear text"        // TLS was wanted, and it does without
	Untrusted   Nature = "untrusted"         // its certificate does not prove the name
	Unwelcome   Nature = "unwelcome"         // it refuses this client in the handshake of TLS
	Echo        Nature = "echo"              // it sends back what it gets
	Endless     Nature = "endless"           // it says more than a line
	Other       Nature = "another protocol"  // which Detail names
	Garbage     Nature = "no text"           // bytes that are no text
	NoTime      Nature = "no time"           // a line in which no time is
	Unclear     Nature = "another time form" // a line with a time of day that is not understood
	Local       Nature = "this " +
		"host" // the failure is this host's: it says nothing of the address
	Unknown Nature = "unknown"
)

// A Finding is the nature of an address, and what tells it.
type Finding struct {
	Nature Nature
	Detail string // such as the first bytes that came, quoted; may be empty
}

const (
	maxBanner = 512                    // bytes of an answer that are looked at
	maxLook   = 2 * time.Second        // for the questions beside the one for the time
	moreLook  = 300 * time.Millisecond // for the others, once one has an answer
)

// Look says what is at an address that gave this answer. Where the answer does not tell, it asks in
// other ways, with HTTP and TLS, which takes the given time at most, and no more than 2 s.
func Look(ctx context.Context, instance string, a Answer, timeout time.Duration) Finding {
	if a.Err == nil {
		return natureOfReply(a)
	}
	if f := natureOfError(a.Err); f.Nature != Unknown {
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, min(timeout, maxLook))
	defer cancel()
	questions := []func(context.Context, string) Finding{askTLS, listen, askHTTP}
	found := make([]Finding, len(questions))
	var all sync.WaitGroup
	for i, ask := range questions {
		all.Go(func() {
			if found[i] = ask(ctx, instance); found[i].Nature != "" {
				time.AfterFunc(moreLook, cancel) // an HTTPS server answers HTTP, too, in clear text
			}
		})
	}
	all.Wait()
	for _, f := range found {
		if f.Nature != "" {
			return against(a.Err, f)
		}
	}
	return silence(a.Err)
}

// against turns what is there into what is wrong with it: who wanted TLS, and found it, had another
// trouble.
func against(err error, f Finding) Finding {
	wanted := errors.Is(err, transport.ErrHandshake)
	switch {
	case wanted && f.Nature == Daytime:
		return Finding{Clear, f.Detail}
	case wanted && f.Nature == TLS:
		return silence(err)
	case f.Nature == NoTime && errors.Is(err, transport.ErrTooLong):
		return Finding{Endless, f.Detail}
	case f.Nature == Daytime: // it answered late, or not each time
		return silence(err)
	}
	return f
}

// silence is the nature of an address that told nothing more than err.
func silence(err error) Finding {
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return Finding{Nature: Reset}
	case errors.Is(err, transport.ErrTooLong):
		return Finding{Nature: Endless}
	case errors.Is(err, transport.ErrNoReply),
		errors.Is(err, transport.ErrHandshake) && errors.Is(err, io.ErrUnexpectedEOF):
		return Finding{Nature: Empty}
	case errors.Is(err, transport.ErrDeadline), errors.Is(err, context.DeadlineExceeded):
		return Finding{Nature: Silent}
	}
	return Finding{Unknown, reason(err)}
}

// natureOfError is what the error of a request tells alone, Unknown if it is worth to look closer.
func natureOfError(err error) Finding {
	var unproved *tls.CertificateVerificationError
	var operation *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Finding{Nature: Refused}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, context.Canceled):
		return Finding{Local, reason(err)}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EINVAL), errors.Is(err,
			syscall.EPERM):
		return Finding{Unreachable, reason(err)}
	case errors.Is(err, syscall.ECONNRESET): // also while it connects
		return Finding{Nature: Unknown}
	case errors.Is(err, transport.ErrConnect):
		return Finding{NoConnect, reason(err)}
	case errors.As(err, &unproved):
		return Finding{Untrusted, reason(err)}
	case errors.As(err, &operation) && operation.Op == "remote error" && // an alert of TLS
		!strings.HasSuffix(operation.Err.Error(), "internal error"): // by which it has its own trouble
		return Finding{Unwelcome, reason(err)}
	}
	return Finding{Nature: Unknown}
}

// reason is the innermost error of a chain, without the addresses that its reader knows.
func reason(err error) string {
	var own *transport.Error
	if errors.As(err, &own) {
		err = own.Err
	}
	var operation *net.OpError
	if errors.As(err, &operation) {
		err = operation.Err
	}
	return transport.Printable(err.Error())
}

var timeOfDay = regexp.MustCompile(`(^|\D)\d?\d:\d\d(:\d\d)?(\D|$)`)

// natureOfReply is the nature of an address that answered with a line.
func natureOfReply(a Answer) Finding {
	if a.Clock.Known {
		return Finding{Nature: Daytime}
	}
	if f := natureOfBanner([]byte(a.Reply)); f.Nature != NoTime {
		return f
	}
	if timeOfDay.MatchString(a.Reply) || len(a.Names) > 0 {
		return Finding{Unclear, quote(a.Reply)}
	}
	return Finding{NoTime, quote(a.Reply)}
}

// banners are how the servers of other protocols begin, unasked or in answer to what they do not
// understand.
var banners = []struct {
	prefix, name string
}{
	{"SSH-", "SSH"}, {"RFB ", "VNC"}, {"220 ", "SMTP or FTP"}, {"220-", "SMTP or FTP"},
	{"+OK", "POP3"}, {"* OK", "IMAP"}, {"-ERR", "Redis"}, {"-NOAUTH", "Redis"}, {"ERROR\r",
		"memcached"},
	{"AMQP", "AMQP"}, {"imok", "ZooKeeper"}, {"E\x00\x00\x00", "PostgreSQL"},
}

// natureOfBanner is the nature of an address by the first bytes that it sent; NoTime if they are a
// line of text in which nothing is known.
func natureOfBanner(sent []byte) Finding {
	switch {
	case bytes.HasPrefix(sent, []byte("HTTP/")):
		line, _, _ := bytes.Cut(sent, []byte("\r\n"))
		return Finding{HTTP, quote(string(line))}
	case bytes.HasPrefix(sent, []byte("\x15\x03")):
		return Finding{Nature: TLS}
	case bytes.HasPrefix(sent, []byte(httpRequest[:10])):
		return Finding{Nature: Echo}
	case len(sent) > 5 && sent[3] == 0 && sent[4] == 10: // the first packet of a handshake
		return Finding{Other, "MySQL: " + quote(string(sent))}
	}
	for _, b := range banners {
		if bytes.HasPrefix(sent, []byte(b.prefix)) {
			return Finding{Other, b.name + ": " + quote(string(sent))}
		}
	}
	line, _, _ := strings.Cut(strings.TrimLeft(string(sent), "\r\n"), "\n")
	if transport.Printable(strings.TrimRight(line, "\r")) != strings.TrimRight(line, "\r") {
		return Finding{Garbage, quote(string(sent))}
	}
	return Finding{NoTime, quote(strings.TrimRight(line, "\r"))}
}

// quote is the beginning of a peer's text, on one line and harmless.
func quote(text string) string {
	const most = 40
	if len(text) > most {
		return fmt.Sprintf("%.*q...", most, text)
	}
	return fmt.Sprintf("%q", text)
}

const httpRequest = "GET / HTTP/1.0\r\n\r\n"

// listen waits for what the address says unasked.
func listen(ctx context.Context, instance string) Finding { return converse(ctx, instance, "") }

// askHTTP asks as a browser does.
func askHTTP(ctx context.Context, instance string) Finding {
	return converse(ctx, instance, httpRequest)
}

// converse sends text, and judges the first bytes that come; nothing comes of an empty answer.
func converse(ctx context.Context, instance, text string) (none Finding) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", instance)
	if err != nil {
		return none
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer conn.Close()
	defer stop()
	if _, err := io.WriteString(conn, text); err != nil {
		return none
	}
	buffer := make([]byte, maxBanner)
	n, _ := io.ReadAtLeast(conn, buffer, 8)
	if len(bytes.TrimSpace(buffer[:n])) == 0 { // nothing, or blank lines
		return none
	}
	f := natureOfBanner(buffer[:n])
	if f.Nature == NoTime && timeOfDay.Match(buffer[:n]) {
		f.Nature = Daytime
	}
	return f
}

// askTLS begins a handshake, and trusts anybody: it is about whether there is one.
func askTLS(ctx context.Context, instance string) (none Finding) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", instance)
	if err != nil {
		return none
	}
	defer conn.Close()
	secured := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, // nothing is sent, and nothing believed
		NextProtos:         []string{"daytime", "http/1.1"},
	})
	err = secured.HandshakeContext(ctx)
	var refused tls.AlertError
	if err == nil || errors.As(err, &refused) || strings.Contains(err.Error(),
		"remote error: tls:") {
		return Finding{Nature: TLS}
	}
	return none
}
