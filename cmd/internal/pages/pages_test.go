package pages

import (
	"fmt"
	"strings"
	"testing"
)

func Example() {
	page := "# Clocks\n\n```console\n$ date -u +%F\n2026-11-28\n```\n"
	for _, block := range Blocks(page) {
		fmt.Println(block.Section, block.Language, block.Line)
		for _, command := range Commands(block.Text) {
			fmt.Printf("%q %q\n", command.Text, command.Output)
		}
	}
	// Output:
	// Clocks console 3
	// "date -u +%F\n" "2026-11-28\n"
}

func TestBlocks(t *testing.T) {
	page := strings.Join([]string{"#!no heading", "# One", "```", "# in a block", "```", "text",
		"### Two words ", "```sh", "a", "", "b", "```", "```go", "open"}, "\n") + "\n"
	want := []Block{
		{"One", "", "# in a block\n", 3},
		{"Two words", "sh", "a\n\nb\n", 8},
		{"Two words", "go", "open\n", 13},
	}
	if have := Blocks(page); fmt.Sprint(want) != fmt.Sprint(have) {
		t.Errorf("want\n%v\nhave\n%v", want, have)
	}
}

func TestCommands(t *testing.T) {
	have := Commands("dropped\n$ a \\\n> b\nout\n> out\n$ c\n$ d\n\nout\n")
	want := []Command{{"a \\\nb\n", "out\n> out\n"}, {"c\n", ""}, {"d\n", "\nout\n"}}
	if fmt.Sprintf("%q", want) != fmt.Sprintf("%q", have) {
		t.Errorf("want\n%v\nhave\n%v", want, have)
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name, want, have string
		same             bool
	}{
		{"nothing", "", "", true},
		{"a word", "noon\n", "noon\n", true},
		{"another word", "noon\n", "moon\n", false},
		{"a line more", "noon\n", "noon\nnoon\n", false},
		{"a line less", "noon\nnoon\n", "noon\n", false},
		{"no newline at the end", "noon\n", "noon", true},
		{"another time", "at 2026-11-28T07:59:20Z\n", "at 2027-01-02T03:04:05.678Z\n", true},
		{"another time of the service", "a: 2026-11-28 07:59:25.380165 +0000 UTC\n",
			"a: 2027-11-28 07:59:25.38 +0000 UTC\n", true},
		{"no time", "at 2026-11-28T07:59:20Z\n", "at noon\n", false},
		{"another duration", "3 requests in 3.8ms\n", "3 requests in 1.2s\n", true},
		{"another number", "3 requests in 3.8ms\n", "4 requests in 3.8ms\n", false},
		{"a signed duration", "-42µs ±155µs\n", "+7ms ±1ms\n", true},
		{"a long duration", "1h2m3s\n", "2s\n", true},
		{"other blanks", "a  b\n", "a      b \n", true},
		{"text within a line", "a … c\n", "a long b c\n", true},
		{"text that goes on", "a …\n", "a b\nc\n", false},
		{"any lines", "a\n…\nz\n", "a\nb\nc\nz\n", true},
		{"no lines", "a\n…\nz\n", "a\nz\n", true},
		{"any lines at the end", "a\n…\n", "a\nb\n", true},
		{"lines before", "a\n…\n", "b\na\n", false},
		{"a pattern is text", "a.c (x)\n", "abc x\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := Match(test.want, test.have); test.same != (err == nil) {
				t.Errorf("want the same: %t, have %v", test.same, err)
			}
		})
	}
}
