//go:build unix

package pages

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// module has the commands make a module that names this checkout. What a go.sum would be fetched
// for is copied, so that nothing is.
func module(s *stage, b Block) {
	s.Helper()
	checkout, err := filepath.Abs(root)
	if err != nil {
		s.Fatal(err)
	}
	home, err := exec.Command("go", "env", "GOPATH", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		s.Fatal(err)
	}
	places := strings.Fields(string(home))
	s.env = append(s.env, "CHECKOUT="+checkout, "GOPROXY=off", "GOFLAGS=-mod=mod -buildvcs=false",
		"GOPATH="+places[0], "GOCACHE="+places[1], "GOMODCACHE="+places[2])
	s.script(b)
	s.write("go.sum", read(s, "go.sum"))
}

// asModule sets a stage in a module, made as sd/README.md says, that has all programs of page.
func asModule(page string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		t.Helper()
		module(s, Blocks(read(t, "sd/README.md"))[0])
		for _, b := range Blocks(read(t, page)) {
			if b.Language == "go" {
				s.write(file(s, b), b.Text)
			}
		}
		if out, err := s.bash("set -e; go mod tidy; go vet ./..."); err != nil {
			s.Fatalf("%v\n%s", err, out)
		}
	}
}

// file is the name that a program begins with.
func file(s *stage, b Block) string {
	s.Helper()
	line, _, _ := strings.Cut(b.Text, "\n")
	name, found := strings.CutPrefix(line, "// ")
	if !found || !strings.HasSuffix(name, ".go") {
		s.Fatalf("line %d: want // and the name of the file as the first line, have %q", b.Line, line)
	}
	return name
}

// inModule is a program that is built with those beside it, and run by a later block.
func inModule(s *stage, b Block) {
	s.Helper()
	console := false
	for _, other := range Blocks(read(s, "sd/README.md")) {
		console = console || other.Language == "console" &&
			strings.Contains(other.Text, "go run ./"+filepath.Dir(file(s, b))+" ")
	}
	if !console {
		s.Errorf("line %d: nothing runs this program", b.Line)
	}
}

// program runs one, and leaves its output to be compared.
func program(s *stage, b Block) {
	s.Helper()
	out, err := s.bash("go run ./" + filepath.Dir(file(s, b)))
	if err != nil {
		s.Errorf("line %d: %v\n%s", b.Line, err, out)
	}
	s.write("printed", out)
}

// output is what the program before it prints.
func output(s *stage, b Block) {
	s.Helper()
	out, _ := s.bash("cat printed")
	if err := Match(b.Text, out); err != nil {
		s.Errorf("line %d: %v", b.Line, err)
	}
}

// tests are those of a file, which pass, or are skipped with a reason.
func tests(s *stage, b Block) {
	s.Helper()
	out, err := s.bash("go test -count=1 -v " + file(s, b))
	if err != nil || !strings.Contains(out, "--- ") {
		s.Errorf("line %d: %v\n%s", b.Line, err, out)
	}
	if strings.Contains(out, "--- SKIP") {
		s.Log(out)
	}
}
