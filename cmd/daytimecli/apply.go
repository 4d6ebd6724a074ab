package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-kit/log/level"
	"github.com/spf13/cobra"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport"
)

// applyFile replaces the policy by a file.
func (c *config) applyFile(cmd *cobra.Command, name string, stdio *shell.Stdio) error {
	text, err := readText(cmd.InOrStdin(), name)
	if err != nil {
		return err
	}
	next, err := c.parseNext(name, text)
	if err != nil {
		return err
	}
	return c.apply(cmd.Context(), next, stdio)
}

// readText reads a file, or stdin for -. More than a policy can have is not read to its end.
func readText(stdin io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", shell.UsageError("", err)
		}
		defer f.Close()
		stdin = f
	}
	text, err := io.ReadAll(io.LimitReader(stdin, policy.MaxSize+1024))
	if err != nil {
		return "", shell.UsageError("", fmt.Errorf("%s: %w", name, err))
	}
	return string(text), nil
}

// A next is a document that is to be the policy.
type next struct {
	name     string // of its file
	document policy.Document
	version  int64 // of the policy that it is a copy of
	isCopy   bool
}

// parseNext reads a document that is to be the policy, and refuses one that is wrong: a line that
// is left out by mistake is a server that is called by mistake.
func (c *config) parseNext(name, text string) (n next, err error) {
	n.name = name
	document, err := policy.Parse(text)
	if err == nil {
		n.document, n.version, n.isCopy, err = document.CutVersion()
	}
	if err != nil {
		return n, shell.UsageError("", fmt.Errorf("%s: %w", name, trimmed(err, "policy: ")))
	}
	problems := n.document.Problems(time.Now())
	switch {
	case c.steer.force:
	case n.document.IsEmpty():
		err = errors.New("is empty, which would end the policy; want --force, too")
	case len(problems) > 0:
		err = fmt.Errorf("%s wrong: %w", count(len(problems), "line"), placed(text, problems[0]))
	}
	if err != nil {
		return n, shell.UsageError("", fmt.Errorf("%s: %w", name, err))
	}
	return n, nil
}

// placed tells a problem of a document by its line in text, from which a line #version was cut.
func placed(text string, p *policy.Problem) error {
	moved, line := *p, 0
	for content := range strings.Lines(text) {
		line++
		fields := strings.Fields(content)
		if line <= moved.Line && len(fields) > 0 && fields[0] == "#version" {
			moved.Line++
		}
	}
	return trimmed(&moved, "policy: ")
}

// apply replaces the policy.
func (c *config) apply(ctx context.Context, n next, stdio *shell.Stdio) error {
	d, err := c.openDesk(ctx, stdio)
	if err != nil {
		return err
	}
	defer d.Close()
	replace := func(before policy.Document, version int64, _ time.Time) (policy.Document, error) {
		if n.isCopy && version != n.version && !before.IsEmpty() {
			return before, fmt.Errorf("%s is a copy of version %d, and the policy has version %d by now: "+
				"somebody else wrote it; without the line #version it is replaced", n.name, n.version, version)
		}
		return n.document, nil
	}
	_, err = d.do(ctx, replace)
	return err
}

// checkFile says what is wrong with a file.
func (c *config) checkFile(cmd *cobra.Command, name string, stdio *shell.Stdio) error {
	text, err := readText(cmd.InOrStdin(), name)
	if err != nil {
		return err
	}
	document, err := policy.Parse(text)
	if err == nil {
		_, _, _, err = document.CutVersion()
	}
	if err != nil {
		return shell.UsageError("", fmt.Errorf("%s: %w", name, trimmed(err, "policy: ")))
	}
	if wrong := document.Problems(time.Now()); len(wrong) > 0 {
		if err := put(stdio.Out, printProblems(name, wrong)); err != nil {
			return quiet(err)
		}
		return shell.UsageError("", fmt.Errorf("%s: %s wrong", name, count(len(wrong), "line")))
	}
	d, err := c.openDesk(cmd.Context(), stdio)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, p := range document.Check(d.Fleet(), time.Now()) {
		d.warn(fmt.Sprintf("%s: %v", name, trimmed(p, "policy: ")))
	}
	text = fmt.Sprintf("%s: %s, none wrong\n", name, count(len(document.Rules()), "rule"))
	return quiet(put(stdio.Out, text))
}

// printProblems is a line for each problem of a file.
func printProblems(name string, problems []*policy.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(transport.Printable(fmt.Sprintf("%s: %v", name, trimmed(p, "policy: "))) + "\n")
	}
	return b.String()
}

// editPolicy has the operator edit the policy, and applies it.
func (c *config) editPolicy(ctx context.Context, stdio *shell.Stdio) error {
	text, version, err := c.readPolicy(ctx)
	if err != nil {
		return err
	}
	document, err := policy.Parse(text)
	switch {
	case err == nil:
		text = document.WithVersion(version).String()
	case !c.steer.force:
		return fmt.Errorf("%s: %w; with --force it can be edited", c.sd, err)
	}
	dir, err := os.MkdirTemp("", "daytimecli-")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "policy")
	edited, err := editText(name, text)
	if err == nil && edited != text {
		var n next
		if n, err = c.parseNext(name, edited); err == nil {
			err = c.apply(ctx, n, stdio)
		}
	} else if err == nil {
		err = quiet(put(stdio.Out, "nothing to change\n"))
	}
	if err != nil {
		level.Warn(c.newLogger(stdio)).Log("msg", "what was edited is kept in "+name)
		return err
	}
	return os.RemoveAll(dir)
}

// editText has $EDITOR, which may have arguments, edit text in a file of that name.
func editText(name, text string) (string, error) {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return "", err
	}
	editor := os.Getenv("EDITOR")
	if editor == "" {
		editor = "vi"
	}
	cmd := exec.Command("sh", "-c", editor+` "$1"`, "sh", name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("editor %s: %w", editor, err)
	}
	edited, err := os.ReadFile(name)
	return string(edited), err
}
