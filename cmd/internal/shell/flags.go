package shell

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// Value returns a flag's value that parse reads into value. The errors of parse say which
// values are allowed; kind is the word for a value in the help text.
func Value[T any](value *T, kind string, parse func(string) (T, error)) pflag.Value {
	return setting[T]{value, kind, parse}
}

type setting[T any] struct {
	value *T
	kind  string
	parse func(string) (T, error)
}

func (s setting[T]) String() string { return fmt.Sprint(*s.value) }
func (s setting[T]) Type() string   { return s.kind }

func (s setting[T]) Set(text string) error {
	value, err := s.parse(text)
	if err == nil {
		*s.value = value
	}
	return err
}

// OneOf is a Value that is one of words.
func OneOf(value *string, words ...string) pflag.Value {
	return oneOf{Value(value, "name", func(text string) (string, error) {
		if !slices.Contains(words, text) {
			return "", fmt.Errorf("want %s", strings.Join(words, ", "))
		}
		return text, nil
	}), words}
}

type oneOf struct {
	pflag.Value
	words []string
}

// Words are the completions of the value.
func (o oneOf) Words() []string { return o.words }

// Integer is a Value that is a whole number, least or more.
func Integer(value *int, least int) pflag.Value {
	return Value(value, "number", func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least {
			return 0, errors.New("want " + NumberOf(least, err))
		}
		return n, nil
	})
}

// NumberOf says which text is a whole number, least or more, if err is why strconv.Atoi read none.
func NumberOf(least int, err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Sprintf("a whole number, %d or more, %d at most", least, math.MaxInt)
	}
	return fmt.Sprintf("a whole number, %d or more", least)
}

// Duration is a Value that is a duration with its unit, least or more.
func Duration(value *time.Duration, least time.Duration) pflag.Value {
	return DurationUpTo(value, least, math.MaxInt64/time.Hour*time.Hour)
}

// DurationUpTo is a Duration that is most or less.
func DurationUpTo(value *time.Duration, least, most time.Duration) pflag.Value {
	return Value(value, "duration", func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		switch {
		case err != nil && isTooLong(text) || err == nil && d > most:
			return 0, fmt.Errorf("too long: want %s at most", strings.TrimSuffix(most.String(), "0m0s"))
		case err != nil || d < least:
			return 0, fmt.Errorf("want a duration such as 500ms or 2s, %v or more", least)
		}
		return d, nil
	})
}

// isTooLong reports whether a text that is no duration would be one if its numbers were smaller.
func isTooLong(text string) bool {
	_, err := time.ParseDuration(regexp.MustCompile(`\d+`).ReplaceAllString(text, "1"))
	return err == nil && text[0] != '-'
}

// AddSwitch adds a flag that needs no value, and may have no shorthand.
func AddSwitch(flags *pflag.FlagSet, value *bool, name, shorthand, usage string) {
	flags.VarP(Value(value, "bool", func(text string) (bool, error) {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return false, errors.New("want true or false")
		}
		return on, nil
	}), name, shorthand, usage)
	flags.Lookup(name).NoOptDefVal = "true"
}
