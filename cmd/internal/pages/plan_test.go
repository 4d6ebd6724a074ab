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

// A way is how the blocks of one section are run, in their order.
type way struct {
	set    func(*testing.T, *stage) // sets the stage, if there is more to it
	blocks blocks
}

// blocks has a runner for each language.
type blocks map[string]runner

// plan has every section that shows a block.
func plan() map[string]way {
	transcript, script := (*stage).transcript, (*stage).script
	library, unit := asModule("sd/README.md"), asModule("sd/TESTING.md")
	return map[string]way{
		"README.md: daytime":      {nil, blocks{"": quickStart}},
		"README.md: How it works": {nil, blocks{"": drawing}},
		"README.md: Measured":     {nil, blocks{"": goTests}},
		"README.md: Tests":        {nil, blocks{"": goTests}},

		"sd/README.md: In your own service": {nil, blocks{"sh": module}},
		"sd/README.md: A server":            {nil, blocks{"go": inModule}},
		"sd/README.md: A client": {inRegistry(library),
			blocks{"go": inModule, "console": transcript}},
		"sd/README.md: Where it stands":    {library, blocks{"go": program, "text": output}},
		"sd/README.md: Several registries": {library, blocks{"go": program, "text": output}},

		"sd/TESTING.md: A unit test":                       {unit, blocks{"go": tests}},
		"sd/TESTING.md: A ZooKeeper in the test's process": {unit, blocks{"go": tests}},
		"sd/TESTING.md: A real ZooKeeper":                  {unit, blocks{"go": tests}},

		"cmd/README.md: The two programs": {nil, blocks{"console": transcript}},
		"cmd/README.md: Steering a fleet": {nil, blocks{"sh": steering, "console": transcript}},
		"cmd/README.md: A look inside":    {nil, blocks{"console": transcript}},
		"cmd/README.md: systemd":          {nil, blocks{"ini": elsewhere, "sh": systemctl}},
		"cmd/README.md: Kubernetes":       {nil, blocks{"yaml": elsewhere, "sh": kubectl}},
		"cmd/README.md: Behind a proxy": {serveOne,
			blocks{"nginx": nginx, "console": transcript}},
		"cmd/README.md: Directories of other systems": {nil, blocks{"sh": layouts}},

		"cmd/OPERATIONS.md: What to alert on":   {nil, blocks{"": goTests}},
		"cmd/OPERATIONS.md: Something is wrong": {nil, blocks{"console": transcript}},
		"cmd/OPERATIONS.md: Rights":             {inRegistry(needsZkCli), blocks{"console": transcript}},
		"cmd/OPERATIONS.md: TLS": {nil,
			blocks{"console": transcript, "properties": zooKeeperWithTLS}},
		"cmd/OPERATIONS.md: Backup":   {nil, blocks{"sh": backup}},
		"cmd/OPERATIONS.md: Capacity": {nil, blocks{"": goTests}},
		"cmd/OPERATIONS.md: Moving to another registry": {inRegistry(bothRegistries),
			blocks{"bash": script}},
	}
}

// inRegistry starts a registry at the port 2181, where no program of the section has one.
func inRegistry(set func(*testing.T, *stage)) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		t.Helper()
		s.startRegistry()
		set(t, s)
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
		rest := Blocks(read(t, page))
		for len(rest) > 0 {
			first := rest[0]
			name := page + ": " + first.Section
			n := slices.IndexFunc(rest, func(b Block) bool { return b.Section != first.Section })
			if n < 0 {
				n = len(rest)
			}
			run, found := sections[name]
			if !found {
				t.Errorf("%s:%d: no way is known to run a block of %q", page, first.Line, first.Section)
			}
			delete(sections, name)
			ours := rest[:n]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run.run(t, bin, ours)
			})
			rest = rest[n:]
		}
	}
	for name := range sections {
		t.Errorf("%s: want a section with blocks, there is none", name)
	}
}

// run sets the stage, and runs the blocks.
func (w way) run(t *testing.T, bin string, shown []Block) {
	s := newStage(t, bin)
	if w.set != nil {
		w.set(t, s)
	}
	for _, b := range shown {
		runs, found := w.blocks[b.Language]
		if !found {
			t.Errorf("line %d: no way is known to run a block marked %q here", b.Line, b.Language)
			continue
		}
		runs(s, b)
	}
}
