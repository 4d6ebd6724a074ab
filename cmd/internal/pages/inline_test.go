//go:build unix

package pages

import (
	"regexp"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shelltest"
)

// inline finds a command within a paragraph or a table.
var inline = regexp.MustCompile("`((?:source <\\()?daytime(?:cli|svc) [^`]+)`")

// The commands that the table of both programs shows are run, on a registry with three servers,
// until they end, or until Ctrl-C: all end with 0.
func TestCommandsInTable(t *testing.T) {
	s := newStage(t, shelltest.Build(t))
	_, url := shelltest.StartRegistry(t, true)
	s.env = append(s.env, "DAYTIME_SD="+url)
	servers := shelltest.Launch(t, s.bin, "daytimesvc", "--sd", url,
		"--listen", "127.0.0.1:0,127.0.0.1:0,"+s.here("127.0.0.1:8898"))
	servers.Stderr.Await(t, "msg=registered", 3)
	_, table, _ := strings.Cut(read(t, "cmd/README.md"), "\n| | |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	for row := range strings.Lines(table) {
		cell, _, _ := strings.Cut(row[1:], " | ")
		found := inline.FindStringSubmatch(cell)
		if found == nil {
			continue
		}
		t.Run(found[1], func(t *testing.T) {
			t.Parallel()
			row := newStage(t, s.bin)
			row.env = append(row.env, "DAYTIME_SD="+url, "DAYTIME_LISTEN=127.0.0.1:0")
			command := strings.NewReplacer("192.0.2.10", "127.0.0.1", "zk://zk1/go_servers", url,
				"192.0.2.1:13", s.here("127.0.0.1:8898")).Replace(found[1])
			if !strings.HasPrefix(command, "source ") {
				command = "timeout --preserve-status -s INT 3 " + command
			}
			if out, err := row.bash(row.here(command)); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// The commands within the text of all pages are ones that the programs know, with their flags.
func TestCommandsInText(t *testing.T) {
	s := newStage(t, shelltest.Build(t))
	for _, page := range pages(t) {
		text := strings.ReplaceAll(read(t, page), "\n", " ")
		for _, found := range inline.FindAllStringSubmatch(text, -1) {
			command := strings.NewReplacer(" >FILE", " ", "source <(", "", "bash)", "bash",
				"ADDR", "127.0.0.1:1").Replace(found[1])
			if out, err := s.bash(command + " --help"); err != nil {
				t.Errorf("%s: %s: %v\n%s", page, found[1], err, out)
			}
		}
	}
}
