package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	kitendpoint "github.com/go-kit/kit/endpoint"
	kitsd "github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/transport"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/endpoint"
)

// NewDaytimeServer returns a server of the daytime endpoint. It answers at once, whatever the
// client sends, with one line, or with none when the service fails. Errors go to logger, unless an
// option says otherwise.
func NewDaytimeServer(set endpoint.Set, logger kitlog.Logger, options ...ServerOption) *Server {
	logging := ServerErrorHandler(transport.NewLogErrorHandler(logger))
	options = append([]ServerOption{logging}, options...)
	return NewServer(set.DaytimeEndpoint, nil, encodeDaytimeResponse, options...)
}

// NewDaytimeClient returns a client of the daytime server at addr. It sends "timestamp", unless
// Request says otherwise. Its answer is the first line with a printable character; a server that
// sends the request back, such as an echo server, fails with ErrNoReply.
func NewDaytimeClient(addr string, options ...ClientOption) *Client {
	c := NewClient(addr, nil, nil, append([]ClientOption{Request("timestamp")}, options...)...)
	c.dec = decodeDaytimeResponse(*c.request)
	return c
}

// Factory returns a go-kit factory: from the address of a daytime server to an endpoint that asks
// it. There is no closer, because an endpoint holds no connection between calls.
func Factory(options ...ClientOption) kitsd.Factory {
	return func(instance string) (kitendpoint.Endpoint, io.Closer, error) {
		if _, _, err := net.SplitHostPort(instance); err != nil {
			return nil, nil, fmt.Errorf("transport: instance %q: %w", instance, err)
		}
		return NewDaytimeClient(instance, options...).Endpoint(), nil, nil
	}
}

// encodeDaytimeResponse refuses a failed response: the protocol has no error but the lack of a
// line.
func encodeDaytimeResponse(_ context.Context, w io.Writer, response any) error {
	daytime, ok := response.(endpoint.DaytimeResponse)
	if !ok {
		return fmt.Errorf("transport: daytime response is a %T", response)
	}
	if err := daytime.Failed(); err != nil {
		return err
	}
	return WriteLine(w, daytime.Reply)
}

// decodeDaytimeResponse returns a decoder that takes the line as it is, because RFC 867 gives it no
// syntax, unless it is the line that would be read if request came back.
func decodeDaytimeResponse(request string) DecodeFunc {
	echo, _ := ReadLine(strings.NewReader(request)) // empty without such a line, as no reply is
	return func(_ context.Context, r io.Reader) (any, error) {
		line, err := ReadLine(r)
		if err != nil {
			return nil, err
		}
		if line == echo {
			return nil, fmt.Errorf("%w: the request came back", ErrNoReply)
		}
		return endpoint.DaytimeResponse{Reply: line}, nil
	}
}
