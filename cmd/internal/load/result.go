package load

import (
	"example.com/daytime/cmd/internal/shell"
)

// stampLayout is RFC 3339 with milliseconds, of one width.
const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// JSON is r as an object on one line. Every key is always there.
func (r Result) JSON() (string, error) {
	object := struct {
		Seq      int       `json:"seq"`
		Time     string    `json:"time"`
		Server   string    `json:"server"`
		Reply    string    `json:"reply"`
		Error    string    `json:"error"`
		MS       float64   `json:"ms"`
		Attempts int       `json:"attempts"`
		Tries    []attempt `json:"tries"`
	}{
		Seq:      r.Seq,
		Time:     r.Begin.UTC().Format(stampLayout),
		Server:   r.Server,
		Reply:    r.Reply,
		Error:    shell.ErrorText(r.Err),
		MS:       shell.Milliseconds(r.Took),
		Attempts: len(r.Tries),
		Tries:    []attempt{},
	}
	for _, t := range r.Tries {
		object.Tries = append(object.Tries, attempt{t.Instance, shell.ErrorText(t.Err),
			shell.Milliseconds(t.Took)})
	}
	return shell.JSONLine(object)
}

// An attempt is one of a result in JSON.
type attempt struct {
	Server string  `json:"server"`
	Error  string  `json:"error"` // empty if it was answered
	MS     float64 `json:"ms"`
}
