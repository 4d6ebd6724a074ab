package dns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
)

const (
	resolvConf = "/etc/resolv.conf"
	// maxUDP is what is offered to receive in a datagram: more may be cut into fragments on its
	// way, which get lost (the DNS Flag Day of 2020).
	maxUDP = 1232
)

// timeouts are those of the rounds in which all servers are asked.
var timeouts = [...]time.Duration{time.Second, 2 * time.Second}

// Why there is no answer.
var (
	errNoServers = errors.New("no nameserver in " + resolvConf + ": want a resolver in the target")
	errTruncated = errors.New("truncated over TCP")
	errOther     = errors.New("answer to another question")
	errTimeout   = errors.New("no answer in time")
)

// A resolver asks servers. It may be used concurrently.
type resolver struct {
	given []string // host:port each; none: those of resolv.conf

	mu   sync.Mutex
	last string // the one that answered last, which is asked first
}

// An answer is what a server said to one question: records, that there are none, or that there is
// no such name.
type answer struct {
	*mdns.Msg
	whole bool // it was not bounded by the size of a datagram
}

// ask puts one question to one server after the other, until one answers.
func (r *resolver) ask(ctx context.Context, name string, kind uint16) (answer, error) {
	servers, err := r.servers()
	if err != nil {
		return answer{}, err
	}
	for _, timeout := range timeouts {
		err = nil // of the last round
		for _, server := range servers {
			a, failed := query(ctx, server, name, kind, timeout)
			if failed == nil {
				r.answered(server)
			}
			if failed == nil || ctx.Err() != nil {
				return a, ctx.Err()
			}
			err = also(err, fmt.Errorf("%s: %s %s: %w", server, mdns.TypeToString[kind], name, failed))
		}
	}
	return answer{}, err
}

// also joins errors in one line.
func also(err, next error) error {
	if err == nil {
		return next
	}
	return fmt.Errorf("%w; %w", err, next)
}

// servers are those to ask, in their order, but that who answered last comes first: one that is
// dead costs its time once, and not with every question.
func (r *resolver) servers() ([]string, error) {
	servers := slices.Clone(r.given)
	if len(servers) == 0 {
		config, err := mdns.ClientConfigFromFile(resolvConf)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoServers, err)
		}
		for _, s := range config.Servers {
			servers = append(servers, net.JoinHostPort(s, config.Port))
		}
	}
	if len(servers) == 0 {
		return nil, errNoServers
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := slices.Index(servers, r.last); n > 0 {
		servers = slices.Insert(slices.Delete(servers, n, n+1), 0, r.last)
	}
	return servers, nil
}

func (r *resolver) answered(server string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = server
}

// query puts one question to one server, over UDP, and over TCP if the answer is truncated. A
// server that does not know EDNS (RFC 6891, section 7) is asked without.
func query(
	ctx context.Context, server, name string, kind uint16, timeout time.Duration,
) (answer, error) {
	question := new(mdns.Msg).SetQuestion(name, kind)
	question.SetEdns0(maxUDP, false)
	m, err := exchange(ctx, "udp", server, question, timeout)
	if err == nil && (m.Rcode == mdns.RcodeFormatError || m.Rcode == mdns.RcodeNotImplemented) {
		question.Extra = nil
		m, err = exchange(ctx, "udp", server, question, timeout)
	}
	whole := err == nil && m.Truncated
	if whole {
		m, err = exchange(ctx, "tcp", server, question, timeout)
	}
	switch {
	case err != nil:
		return answer{}, err
	case m.Truncated:
		return answer{}, errTruncated
	case m.Rcode != mdns.RcodeSuccess && m.Rcode != mdns.RcodeNameError:
		return answer{}, fmt.Errorf("answer %s", mdns.RcodeToString[m.Rcode])
	case refers(m):
		return answer{}, errLame
	}
	return answer{m, whole}, nil
}

// exchange sends a question and waits for its answer, of which one that is truncated may end within
// a record. Datagrams that are not that are passed over: anybody can send one (RFC 5452).
func exchange(
	ctx context.Context, network, server string, question *mdns.Msg, timeout time.Duration,
) (*mdns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })()
	conn := &mdns.Conn{Conn: raw, UDPSize: mdns.MaxMsgSize} // also for more than was offered
	question.Id = mdns.Id()
	if err := conn.WriteMsg(question); err != nil {
		return nil, noAnswer(ctx, err)
	}
	for {
		m, err := conn.ReadMsg()
		var netErr net.Error
		switch {
		case m != nil && answers(m, question) && (err == nil || m.Truncated):
			return m, nil
		case errors.As(err, &netErr) || network == "tcp":
			return nil, noAnswer(ctx, cmp.Or(err, errOther))
		}
	}
}

// answers reports whether m is an answer to question. Servers that refuse one, or do not understand
// it, may answer with a header alone.
func answers(m, question *mdns.Msg) bool {
	if !m.Response || m.Id != question.Id {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode != mdns.RcodeSuccess && m.Rcode != mdns.RcodeNameError
	}
	return len(m.Question) == 1 &&
		m.Question[0].Qtype == question.Question[0].Qtype &&
		m.Question[0].Qclass == question.Question[0].Qclass &&
		strings.EqualFold(m.Question[0].Name, question.Question[0].Name)
}

// noAnswer says that time has run out, where that is why.
func noAnswer(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errTimeout
	}
	return err
}
