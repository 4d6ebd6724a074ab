package transport_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitlb "github.com/go-kit/kit/sd/lb"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
	"example.com/daytime/service"
	"example.com/daytime/transport"
	"example.com/daytime/transport/transporttest"
)

// stub is a service with one answer.
type stub struct {
	reply string
	err   error
}

func (s stub) Daytime(context.Context) (string, error) { return s.reply, s.err }

func daytimeServer(t *testing.T, svc service.Service, log io.Writer) running {
	logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(log))
	return startServer(t, transport.NewDaytimeServer(endpoint.New(svc), logger))
}

func TestDaytimeEndToEnd(t *testing.T) {
	epoch := time.Date(1982, time.February, 22, 17, 37, 43, 5000, time.UTC)
	clock := service.Clock(func() time.Time { return epoch })
	server := daytimeServer(t, service.New("a:1", clock), io.Discard)
	e, closer, err := transport.Factory()(server.addr)
	if err != nil || closer != nil {
		t.Fatalf("want an endpoint and nothing to close, have %v, %v", closer, err)
	}
	have, err := endpoint.Set{DaytimeEndpoint: e}.Daytime(t.Context())
	if want := "a:1: 1982-02-22 17:37:43.000005 +0000 UTC"; have != want || err != nil {
		t.Errorf("want %q, have %q, %v", want, have, err)
	}
	if want, _ := ask(server.addr, "timestamp"); want != have+"\r\n" {
		t.Errorf("want %q on the wire, have %q", have+"\r\n", want)
	}
}

// A failure of the service ends without a byte, and in the log.
func TestDaytimeFailureIsNoReply(t *testing.T) {
	for _, test := range []struct {
		svc  service.Service
		want string
	}{
		{stub{err: errors.New("boom")}, "err=boom\n"},
		{stub{reply: "two\nlines"}, `err="not a line: \"two\\nlines\""` + "\n"},
		{stub{reply: strings.Repeat("x", 255)}, "err=\"not a line: 255 bytes, want at most 254\"\n"},
		{stub{}, `err="not a line: \"\""` + "\n"},
	} {
		var log bytes.Buffer
		server := daytimeServer(t, test.svc, &log)
		_, err := call(t.Context(), server.addr)
		wantIs(t, err, transport.ErrNoReply)
		if err := shutdownTimeout(server.Server, bound); err != nil {
			t.Error(err)
		}
		if have := log.String(); have != test.want {
			t.Errorf("want %q, have %q", test.want, have)
		}
	}
}

func TestDaytimePanicIsOneLogLine(t *testing.T) {
	var log bytes.Buffer
	server := daytimeServer(t, nil, &log) // a nil service panics
	if have, err := ask(server.addr, "timestamp"); have != "" || err != nil {
		t.Errorf("want nothing and a clean end, have %q, %v", have, err)
	}
	if err := shutdownTimeout(server.Server, bound); err != nil {
		t.Error(err)
	}
	have := log.String()
	if strings.Count(have, "\n") != 1 || !strings.HasPrefix(have, `err="transport: panic: `) {
		t.Errorf("want one line, have %q", have)
	}
}

func TestDaytimeServerRefusesAnotherEndpoint(t *testing.T) {
	var log bytes.Buffer
	set := endpoint.Set{DaytimeEndpoint: say("now")}
	server := startServer(t, transport.NewDaytimeServer(set, kitlog.NewLogfmtLogger(&log)))
	if have, _ := ask(server.addr, ""); have != "" {
		t.Errorf("want nothing, have %q", have)
	}
	shutdownTimeout(server.Server, bound)
	if want, have := "err=\"transport: daytime response is a string\"\n", log.String(); have != want {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestDaytimeRequest(t *testing.T) {
	for _, test := range []struct {
		options []transport.ClientOption
		want    string
	}{
		{nil, "timestamp"},
		{[]transport.ClientOption{transport.Request("\n")}, "\n"},
		{[]transport.ClientOption{transport.Request("")}, ""},
	} {
		got := make(chan string, 1)
		addr := transporttest.Serve(t, func(conn *net.TCPConn) {
			io.WriteString(conn, "now\n")
			text, _ := io.ReadAll(conn)
			got <- string(text)
		})
		e, _, err := transport.Factory(test.options...)(addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e(t.Context(), endpoint.DaytimeRequest{}); err != nil {
			t.Error(err)
		}
		if have := <-got; have != test.want {
			t.Errorf("want %q sent, have %q", test.want, have)
		}
	}
}

// An echo server tells no time. A reply that only begins like the request is one.
func TestTheRequestIsNoAnswer(t *testing.T) {
	echo := func(conn *net.TCPConn) { io.Copy(conn, conn) }
	for _, test := range []struct{ request, want string }{
		{"timestamp", ""},
		{"timestamp\r\n", ""},
		{"\ntwo\nlines\n", ""},
		{"", "now"},
		{"\n", "now"},
	} {
		handle := echo
		if test.want != "" {
			handle = sends(test.want+"\n", echo)
		}
		client := transport.NewDaytimeClient(transporttest.Serve(t, handle), transport.Request(test.request))
		have, err := (endpoint.Set{DaytimeEndpoint: client.Endpoint()}).Daytime(t.Context())
		if test.want == "" {
			wantIs(t, err, transport.ErrNoReply)
		} else if have != test.want || err != nil {
			t.Errorf("%q: want %q, have %q, %v", test.request, test.want, have, err)
		}
	}
	client := transport.NewDaytimeClient(transporttest.Serve(t, sends("timestamp 17:37\n", untilGone)))
	have, err := (endpoint.Set{DaytimeEndpoint: client.Endpoint()}).Daytime(t.Context())
	if want := "timestamp 17:37"; have != want || err != nil {
		t.Errorf("want %q, have %q, %v", want, have, err)
	}
}

func TestFactoryRefusesWhatIsNoAddress(t *testing.T) {
	for _, instance := range []string{"", "localhost", "::1", "[::1"} {
		_, _, err := transport.Factory()(instance)
		var addr *net.AddrError
		prefix := fmt.Sprintf("transport: instance %q: ", instance)
		if !errors.As(err, &addr) || !strings.HasPrefix(err.Error(), prefix) {
			t.Errorf("%q: want an error that names it, have %v", instance, err)
		}
	}
}

// go-kit's own discovery drives the factory.
func TestFactoryUnderGoKit(t *testing.T) {
	first := daytimeServer(t, stub{reply: "first"}, io.Discard)
	second := daytimeServer(t, stub{reply: "second"}, io.Discard)
	fleet := kitsd.FixedInstancer{first.addr, second.addr}
	endpointer := kitsd.NewEndpointer(fleet, transport.Factory(), kitlog.NewNopLogger())
	defer endpointer.Close()
	within(t, "two endpoints", func() bool {
		all, err := endpointer.Endpoints()
		return len(all) == 2 && err == nil
	})
	set := endpoint.Set{DaytimeEndpoint: kitlb.Retry(3, bound, kitlb.NewRoundRobin(endpointer))}
	replies := map[string]int{}
	for range 4 {
		reply, err := set.Daytime(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		replies[reply]++
	}
	if replies["first"] != 2 || replies["second"] != 2 {
		t.Errorf("want two of each, have %v", replies)
	}
}

func ExampleFactory() {
	epoch := time.Date(1982, time.February, 22, 17, 37, 43, 0, time.UTC)
	svc := service.New("127.0.0.1:8897", service.Clock(func() time.Time { return epoch }))
	server := transport.NewDaytimeServer(endpoint.New(svc), kitlog.NewNopLogger())
	l, err := transport.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(l)
	defer server.Shutdown(context.Background())

	ask, _, err := transport.Factory()(l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(endpoint.Set{DaytimeEndpoint: ask}.Daytime(context.Background()))
	// Output: 127.0.0.1:8897: 1982-02-22 17:37:43 +0000 UTC <nil>
}
