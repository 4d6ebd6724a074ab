package record

import (
	"bytes"
	"encoding/json"
	"time"
)

// ownKeys are those of a document that a claim replaces.
type ownKeys struct {
	Boot    string    `json:"boot"`
	Process int       `json:"process"`
	Start   time.Time `json:"start"`
	Claims  int64     `json:"claims,omitempty"`
}

// Claim returns data with the keys of its owner replaced by those of o, as a claim on an entry of
// session. All other keys stay as they are, attributes and those of strangers. Data in no form of
// today is replaced by own.
func (o Owner) Claim(data, own []byte, session int64) []byte {
	keys := map[string]json.RawMessage{}
	if json.Unmarshal(data, &keys) != nil || keys["boot"] == nil {
		clear(keys)
		decode(own, &keys)
	}
	decode(encode(ownKeys{o.Boot, o.Process, o.Start.UTC().Truncate(time.Second), session}), &keys)
	return encode(keys)
}

// IsClaimOf reports whether data is own, or a claim on it as an entry of session, by which a
// process on the host of o is about to replace or remove it.
func (o Owner) IsClaimOf(data, own []byte, session int64) bool {
	r, _ := Parse(data) // attributes are compared with all the rest
	return r.Owner.Boot == o.Boot && r.isFor(session) &&
		bytes.Equal(o.Claim(data, own, session), o.Claim(own, own, session))
}

// IsPredecessor reports whether r, of an entry of session, was written by a predecessor of o for
// instance, and for that entry.
func (r Record) IsPredecessor(o Owner, instance string, session int64) bool {
	return r.Precedes(o, instance) && r.isFor(session)
}

// isFor reports whether r was written for an entry of session, as far as it says.
func (r Record) isFor(session int64) bool { return r.Claims == 0 || r.Claims == session }

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers, times and what was JSON always can be encoded
	}
	return data
}

// decode decodes what encode has encoded.
func decode(data []byte, v any) {
	if err := json.Unmarshal(data, v); err != nil {
		panic(err)
	}
}
