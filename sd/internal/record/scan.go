package record

// scan reads a document in the form in which Encode writes it, if everything in it is right: a
// Watch reads one for each instance, and encoding/json takes several times as long. It reports
// false for every other document, which may be right as well. Its result is that of parseAny.
func scan(data []byte) (r Record, ok bool) {
	s := scanner{data: data}
	if !s.object(func(key []byte) bool { return s.member(&r, key) }) || s.at < len(data) {
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
		return ok && r.Owner.Start.UnmarshalText(text) == nil && canBeWritten(r.Owner.Start)
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

// A scanner takes JSON without blanks from data: objects, strings of printable ASCII without an
// escape, integers of up to 18 digits, and literals. Its methods report whether that is next.
type scanner struct {
	data  []byte
	at    int // of what is next
	depth int
}

// is takes one character.
func (s *scanner) is(c byte) bool {
	if s.at == len(s.data) || s.data[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) literal(text string) bool {
	end := s.at + len(text)
	if end > len(s.data) || string(s.data[s.at:end]) != text {
		return false
	}
	s.at = end
	return true
}

func (s *scanner) text() (text []byte, ok bool) {
	if !s.is('"') {
		return nil, false
	}
	for i, c := range s.data[s.at:] {
		switch {
		case c == '"':
			text = s.data[s.at : s.at+i]
			s.at += i + 1
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
	const maxDigits = 18 // fit in
	negative := s.is('-')
	begin, n := s.at, int64(0)
	for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		if s.at-begin == maxDigits {
			return false
		}
		n = 10*n + int64(s.data[s.at]-'0')
		s.at++
	}
	if *v = n; negative {
		*v = -n
	}
	digits := s.at - begin
	return digits == 1 || digits > 1 && s.data[begin] != '0'
}

// object takes an object, by calling member for each key to take the value.
func (s *scanner) object(member func(key []byte) bool) bool {
	s.depth++
	defer func() { s.depth-- }()
	if s.depth > maxDepth || !s.is('{') {
		return false
	}
	if s.is('}') {
		return true
	}
	for {
		key, ok := s.text()
		if !ok || !s.is(':') || !member(key) {
			return false
		}
		if s.is('}') {
			return true
		}
		if !s.is(',') {
			return false
		}
	}
}

// skip takes any value that a scanner can take.
func (s *scanner) skip() bool {
	if s.at == len(s.data) {
		return false
	}
	var n int64
	switch s.data[s.at] {
	case '{':
		return s.object(func([]byte) bool { return s.skip() })
	case '"':
		_, ok := s.text()
		return ok
	default:
		return s.literal("true") || s.literal("false") || s.literal("null") || s.integer(&n)
	}
}
