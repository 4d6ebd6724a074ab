package shelltest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// FlagsOf returns the flags of which the help texts in the files of a pattern tell, sorted.
func FlagsOf(t testing.TB, pattern string) (flags []string) {
	t.Helper()
	flag := regexp.MustCompile(`(?m)^ +(?:-[a-zA-Z], )?--([a-z][a-z-]*)`)
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: want help texts, have %v, %v", pattern, files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range flag.FindAllStringSubmatch(string(text), -1) {
			flags = append(flags, found[1])
		}
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// WantOtherFlags wants have to be the flags of the program in one folder of those that the program
// in this one has not.
func WantOtherFlags(t testing.TB, folder string, have []string) {
	t.Helper()
	own := FlagsOf(t, "testdata/help*.txt")
	want := slices.DeleteFunc(FlagsOf(t, filepath.Join(folder, "testdata/help*.txt")),
		func(flag string) bool { return slices.Contains(own, flag) })
	if !slices.Equal(want, have) {
		t.Errorf("flags of %s alone: want %q, have %q", folder, want, have)
	}
}
