package transport

import (
	"time"
)

// A ClientOption changes a Client that NewClient makes.
type ClientOption func(*Client)

// ClientBefore functions run on the fresh connection, before the request is sent. By default there
// are none.
func ClientBefore(before ...RequestFunc) ClientOption {
	return func(c *Client) { c.before = append(c.before, before...) }
}

// ClientAfter functions run after the reply was decoded. By default there are none.
func ClientAfter(after ...RequestFunc) ClientOption {
	return func(c *Client) { c.after = append(c.after, after...) }
}

// ClientFinalizer functions run at the end of every call. By default there are none.
func ClientFinalizer(finalizer ...FinalizerFunc) ClientOption {
	return func(c *Client) { c.finalizer = append(c.finalizer, finalizer...) }
}

// ClientTimeout bounds a whole call when its context does not end it earlier. The default is 5 s.
func ClientTimeout(d time.Duration) ClientOption {
	return func(c *Client) { c.timeout = d }
}

// Request sends text, which may be empty, and the encoder of the client is not called.
// The default of a daytime client is "timestamp".
func Request(text string) ClientOption {
	return func(c *Client) { c.request = &text }
}
