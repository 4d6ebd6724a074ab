//go:build unix

package pages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page of alerts has each of the rules, and no other.
func TestAlerts(t *testing.T) {
	rules := regexp.MustCompile(`(?m)^  - alert: (\w+)$`).FindAllStringSubmatch(
		read(t, "cmd/internal/telemetry/rules.yml"), -1)
	page := read(t, "cmd/OPERATIONS.md")
	for _, rule := range rules {
		if !strings.Contains(page, "\n| `"+rule[1]+"` |") {
			t.Errorf("want a row for %s", rule[1])
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `[A-Z]\\w+` \\|").FindAllString(page, -1)
	if want, have := len(rules), len(rows); want != have {
		t.Errorf("want %d rows, have %d", want, have)
	}
}

// The table of metrics has each that is shown, and no other.
func TestMetrics(t *testing.T) {
	shown, told := map[string]bool{}, map[string]bool{}
	histogram := strings.NewReplacer("_bucket", "", "_sum", "", "_count", "")
	for line := range strings.Lines(read(t, "cmd/internal/telemetry/testdata/series.txt")) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "{")
		if strings.Contains(name, "seconds") {
			name = histogram.Replace(name)
		}
		shown[name] = true
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z][a-z_]+)` \\|").FindAllStringSubmatch(
		read(t, "cmd/OPERATIONS.md"), -1) {
		told[row[1]] = true
	}
	delete(told, "build_info")
	for name := range shown {
		if !told[name] {
			t.Errorf("want %s on the page", name)
		}
	}
	for name := range told {
		if !shown[name] {
			t.Errorf("%s is not shown by a program", name)
		}
	}
}

// Links of the pages lead to files, and to headings, that are there.
func TestLinks(t *testing.T) {
	for _, page := range pages(t) {
		links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(read(t, page), -1)
		for _, link := range links {
			if strings.Contains(link[1], "://") {
				continue
			}
			file, heading, _ := strings.Cut(link[1], "#")
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: %v", page, err)
			} else if heading != "" && !hasHeading(read(t, path), heading) {
				t.Errorf("%s: %s has no heading %s", page, path, heading)
			}
		}
	}
}

// hasHeading reports whether a link to that heading leads anywhere on a page.
func hasHeading(page, link string) bool {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		anchor := strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")
		if regexp.MustCompile(`[^a-z0-9-]`).ReplaceAllString(anchor, "") == link {
			return true
		}
	}
	return false
}

// helps is what both programs say of themselves.
func helps(t testing.TB) (text string) {
	t.Helper()
	for _, program := range []string{"daytimecli", "daytimesvc"} {
		names, err := filepath.Glob(filepath.Join(root, "cmd", program, "testdata/help*.txt"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: no help: %v", program, err)
		}
		for _, name := range names {
			help, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text += string(help)
		}
	}
	return text
}

// The pages name no flag that the programs do not have, and leave out no command and no key.
func TestPagesAgreeWithHelp(t *testing.T) {
	help, told := helps(t), ""
	flags := regexp.MustCompile(`--[a-z][a-z-]+`)
	known := append(flags.FindAllString(help, -1), "--now", "--from-literal") // systemctl's, kubectl's
	for _, page := range []string{"README.md", "cmd/README.md", "cmd/OPERATIONS.md"} {
		text := read(t, page)
		told += text
		for _, flag := range flags.FindAllString(text, -1) {
			if !slices.Contains(known, flag) {
				t.Errorf("%s: no program has %s", page, flag)
			}
		}
	}
	const heading = "Available Commands:\n" // first those of policy, and then all
	commands, _, _ := strings.Cut(help[strings.LastIndex(help, heading)+len(heading):], "\n\n")
	for line := range strings.Lines(commands) {
		name := strings.Fields(line)[0]
		if name != "help" && !strings.Contains(told, "daytimecli "+name) {
			t.Errorf("want daytimecli %s on a page", name)
		}
	}
}

// The table of packages has each that others may import, each path that it names is there, and each
// package uses only what stands above it, or beside it.
func TestPackages(t *testing.T) {
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(read(t, "README.md"), "| package |")
	table, _, _ = strings.Cut(table, "\n\n")
	paths := regexp.MustCompile("`((?:service|endpoint|transport|sd|cmd)(?:/[a-z]+)*)`")
	rows := map[string]int{}
	for i, row := range strings.Split(table, "\n") {
		for _, path := range paths.FindAllStringSubmatch(row, -1) {
			rows[path[1]] = i
			if _, err := os.Stat(filepath.Join(root, path[1])); err != nil {
				t.Error(err)
			}
		}
	}
	const module = "example.com/daytime/"
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(strings.ReplaceAll(line, module, ""))
		if strings.Contains(fields[0], "internal") {
			continue
		}
		own, found := rows[fields[0]]
		if !found {
			t.Errorf("want %s in the table", fields[0])
		}
		for _, used := range fields[1:] {
			if row := rows[used]; row > own {
				t.Errorf("%s uses %s, which stands below it", fields[0], used)
			}
		}
	}
}
