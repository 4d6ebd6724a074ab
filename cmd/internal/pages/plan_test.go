//go:build unix

package pages

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"example.com/daytime/cmd/internal/shelltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A runner runs one block. It fails the stage's test if the page is wrong.
type runner func(*stage, Block)

// A section is how the blocks of one section are run, in their order, by language.
type section struct {
	dev    bool                         // the commands have a registry of their own (--dev)
	set    func(t *testing.T, s *stage) // sets the stage, if there is more to it
	blocks map[string]runner
}

// plan has every section that shows a block.
func plan() map[string]section {
	transcript, script := (*stage).transcript, (*stage).script
	return map[string]section{
		"README.md: daytime":      {true, nil, map[string]runner{"": quickStart}},
		"README.md: How it works": {false, nil, map[string]runner{"": drawing}},
		"README.md: Measured":     {false, nil, map[string]runner{"": goTests}},
		"README.md: Tests":        {false, nil, map[string]runner{"": goTests}},

		"sd/README.md: In your own service": {false, nil, map[string]runner{"sh": module}},
		"sd/README.md: A server":            {false, nil, map[string]runner{"go": inModule}},
		"sd/README.md: A client": {false, asModule("sd/README.md"), map[string]runner{
			"go": inModule, "console": transcript}},
		"sd/README.md: Where it stands": {false, asModule("sd/README.md"), map[string]runner{
			"go": program, "text": output}},
		"sd/README.md: Several registries": {false, asModule("sd/README.md"), map[string]runner{
			"go": program, "text": output}},

		"sd/TESTING.md: A unit test": {false, asModule("sd/TESTING.md"), map[string]runner{"go": tests}},
		"sd/TESTING.md: A ZooKeeper in the test's process": {false, asModule("sd/TESTING.md"),
			map[string]runner{"go": tests}},
		"sd/TESTING.md: A real ZooKeeper": {false, asModule("sd/TESTING.md"), map[string]runner{"go": tests}},

		"cmd/README.md: The two programs": {true, nil, map[string]runner{"console": transcript}},
		"cmd/README.md: Steering a fleet": {true, nil, map[string]runner{"sh": steering, "console": transcript}},
		"cmd/README.md: A look inside":    {true, nil, map[string]runner{"console": transcript}},
		"cmd/README.md: systemd":          {false, nil, map[string]runner{"ini": elsewhere, "sh": systemctl}},
		"cmd/README.md: Kubernetes":       {false, nil, map[string]runner{"yaml": elsewhere, "sh": kubectl}},
		"cmd/README.md: Behind a proxy": {false, serveOne, map[string]runner{
			"nginx": nginx, "console": transcript}},
		"cmd/README.md: Directories of other systems": {false, nil, map[string]runner{"sh": layouts}},

		"cmd/OPERATIONS.md: What to alert on":   {false, nil, map[string]runner{"": goTests}},
		"cmd/OPERATIONS.md: Something is wrong": {true, nil, map[string]runner{"console": transcript}},
		"cmd/OPERATIONS.md: Rights":             {false, needsZkCli, map[string]runner{"console": transcript}},
		"cmd/OPERATIONS.md: TLS": {true, nil, map[string]runner{
			"console": transcript, "properties": zooKeeperWithTLS}},
		"cmd/OPERATIONS.md: Backup":                     {false, nil, map[string]runner{"sh": backup}},
		"cmd/OPERATIONS.md: Capacity":                   {false, nil, map[string]runner{"": goTests}},
		"cmd/OPERATIONS.md: Moving to another registry": {false, bothRegistries, map[string]runner{"bash": script}},
	}
}

// pages are the Markdown files of the repository.
func pages(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			name, _ := filepath.Rel(root, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// read returns the text of a page.
func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every block of every page does what it says. One that the plan does not know fails, and so does a
// section of the plan that is not there.
func TestPages(t *testing.T) {
	bin := shelltest.Build(t)
	sections := plan()
	for _, page := range pages(t) {
		blocks := Blocks(read(t, page))
		for len(blocks) > 0 {
			name := page + ": " + blocks[0].Section
			n := slices.IndexFunc(blocks, func(b Block) bool { return b.Section != blocks[0].Section })
			if n < 0 {
				n = len(blocks)
			}
			run, found := sections[name]
			if !found {
				t.Errorf("%s:%d: no way is known to run a block of the section %q", page, blocks[0].Line, blocks[0].Section)
			}
			delete(sections, name)
			ours := blocks[:n]
			t.Run(name, func(t *testing.T) { run.run(t, bin, ours) })
			blocks = blocks[n:]
		}
	}
	for name := range sections {
		t.Errorf("%s: want a section with blocks, there is none", name)
	}
}

// run sets the stage, and runs the blocks.
func (p section) run(t *testing.T, bin string, blocks []Block) {
	s := newStage(t, bin, p.dev)
	if p.set != nil {
		p.set(t, s)
	}
	for _, b := range blocks {
		runs, found := p.blocks[b.Language]
		if !found {
			t.Errorf("line %d: no way is known to run a block marked %q here", b.Line, b.Language)
			continue
		}
		runs(s, b)
	}
}
