package record

import (
	"bytes"
	"strconv"
)

// scan reads a document in the form in which Encode writes it, if everything in it is right: a
// Watch reads one for each instance, and encoding/json takes several times as long. It reports
// false for every other document, which may be right as well. Its result is that of parseAny.
func scan(data []byte) (r Record, ok bool) {
	s := scanner{rest: data}
	if !s.object(func(key []byte) bool { return s.member(&r, key) }) || len(s.rest) > 0 {
		return Record{}, false
	}
	_, err := r.Attributes.Valid()
	return r, r.Instance != "" && err == nil
}

// member takes the value of one key.
func (s *scanner) member(r *Record, key []byte) (ok bool) {
	var n int64
	switch string(key) {
	case "id":
		return s.string(&r.Instance)
	case "name":
		return s.string(&r.Service)
	case "zone":
		return s.string(&r.Attributes.Zone)
	case "boot":
		return s.string(&r.Owner.Boot)
	case "start":
		text, ok := s.text()
		return ok && r.Owner.Start.UnmarshalText(text) == nil
	case "registrationTimeUTC":
		ok = s.integer(&n)
		r.Attributes.Since = since(n)
	case "weight":
		ok = s.integer(&n)
		weight := int(n)
		r.Attributes.Weight = &weight
	case "process":
		ok = s.integer(&n)
		r.Owner.Process = int(n)
	case "claims":
		return s.integer(&r.Claims)
	case "leaving":
		r.Leaving = s.literal("true")
		return r.Leaving || s.literal("false")
	case "tags":
		return s.tags(&r.Attributes.Tags)
	default:
		return s.skip()
	}
	return ok
}

func (s *scanner) tags(v *map[string]string) bool {
	tags := map[string]string{}
	*v = tags
	return s.object(func(tag []byte) bool {
		var value string
		ok := s.string(&value)
		tags[string(tag)] = value
		return ok
	})
}

// maxDepth bounds the objects within each other that a scanner takes.
const maxDepth = 8

// A scanner takes JSON without blanks from rest: objects, strings of printable ASCII without an
// escape, integers of up to 18 digits, and literals. Its methods report whether that is next.
type scanner struct {
	rest  []byte
	depth int
}

func (s *scanner) literal(text string) bool {
	rest, ok := bytes.CutPrefix(s.rest, []byte(text))
	s.rest = rest
	return ok
}

func (s *scanner) text() (text []byte, ok bool) {
	if !s.literal(`"`) {
		return nil, false
	}
	for i, c := range s.rest {
		switch {
		case c == '"':
			text, s.rest = s.rest[:i], s.rest[i+1:]
			return text, true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

func (s *scanner) string(v *string) bool {
	text, ok := s.text()
	*v = string(text)
	return ok
}

func (s *scanner) integer(v *int64) bool {
	const maxDigits = 18
	n := len(s.rest) - len(bytes.TrimLeft(s.rest, "-0123456789"))
	digits := bytes.TrimPrefix(s.rest[:n], []byte("-"))
	if len(digits) > maxDigits || len(digits) > 1 && digits[0] == '0' {
		return false
	}
	var err error
	*v, err = strconv.ParseInt(string(s.rest[:n]), 10, 64)
	s.rest = s.rest[n:]
	return err == nil
}

// object takes an object, by calling member for each key to take the value.
func (s *scanner) object(member func(key []byte) bool) bool {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxDepth || !s.literal("{") {
		return false
	}
	if s.literal("}") {
		return true
	}
	for {
		key, ok := s.text()
		if !ok || !s.literal(":") || !member(key) {
			return false
		}
		if s.literal("}") {
			return true
		}
		if !s.literal(",") {
			return false
		}
	}
}

// skip takes any value that a scanner can take.
func (s *scanner) skip() bool {
	if len(s.rest) == 0 {
		return false
	}
	var n int64
	switch s.rest[0] {
	case '{':
		return s.object(func([]byte) bool { return s.skip() })
	case '"':
		_, ok := s.text()
		return ok
	default:
		return s.literal("true") || s.literal("false") || s.literal("null") || s.integer(&n)
	}
}
