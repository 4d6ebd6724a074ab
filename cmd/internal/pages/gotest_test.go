//go:build unix

package pages

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// goTests is about commands that measure, or take long: CI runs some of them. Here it is seen that
// what they name is there, packages, tests, benchmarks and flags.
func goTests(s *stage, b Block) {
	s.Helper()
	for line := range strings.Lines(b.Text) {
		line, _, _ = strings.Cut(line, " #")
		if fields := strings.Fields(strings.ReplaceAll(line, "'", "")); len(fields) > 0 {
			checkGoTest(s, fields)
		}
	}
}

// What stands within the text names what is there as well.
func TestGoTestsInText(t *testing.T) {
	command := regexp.MustCompile("`(?:[A-Z]+=\\w+ )*(go test [^`]+)`")
	found := 0
	for _, page := range pages(t) {
		text := strings.ReplaceAll(read(t, page), "\n", " ")
		for _, match := range command.FindAllStringSubmatch(text, -1) {
			found++
			checkGoTest(t, strings.Fields(strings.ReplaceAll(match[1], "'", "")))
		}
	}
	if found == 0 {
		t.Error("want a command in the text of a page")
	}
}

func checkGoTest(t testing.TB, fields []string) {
	t.Helper()
	if fields[0] != "go" || fields[1] != "test" {
		t.Errorf("no way is known to run %q", fields)
		return
	}
	var code string
	for _, field := range fields {
		if directory, found := strings.CutPrefix(field, "./"); found && directory != "..." {
			code += sources(t, directory)
		}
	}
	for i, field := range fields[2:] {
		name, isFlag := strings.CutPrefix(field, "-")
		if !isFlag {
			continue
		}
		if flag.Lookup("test."+name) == nil && name != "race" && !strings.Contains(code, `"`+name+`"`) {
			t.Errorf("%q: there is no flag %s", fields, field)
		}
		if name == "run" || name == "bench" {
			checkPattern(t, name, fields[i+3], code)
		}
	}
}

// checkPattern wants each part of a pattern to name a test, or a benchmark; ^$ names none.
func checkPattern(t testing.TB, flag, pattern, code string) {
	t.Helper()
	kind := map[string]string{"run": "Test", "bench": "Benchmark"}[flag]
	if pattern == "^$" {
		return
	}
	for part := range strings.SplitSeq(pattern, "|") {
		part, _, _ = strings.Cut(part, "/")
		found := false
		for _, match := range regexp.MustCompile(`func (`+kind+`\w*)\(`).FindAllStringSubmatch(code, -1) {
			found = found || regexp.MustCompile(part).MatchString(match[1])
		}
		if !found {
			t.Errorf("no %s matches %s", kind, part)
		}
	}
}

// sources is the text of all tests in a directory.
func sources(t testing.TB, directory string) (text string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, directory, "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Errorf("%s: want tests, have none: %v", directory, err)
	}
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(file)
	}
	return text
}
