package steer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd/policy"
	"example.com/daytime/transport"
)

// ReadFile reads a file, or stdin for -, until ctx is done. The error is one of a file, or that of an
// interruption. More than a policy can have is not read to its end, and an error.
func ReadFile(ctx context.Context, stdin io.Reader, name string) (string, error) {
	var text string
	var err error
	read := make(chan struct{})
	go func() { // ends with the file or the process: a terminal or a FIFO may keep it waiting
		defer close(read)
		text, err = readAll(stdin, name)
	}()
	select {
	case <-ctx.Done():
		return "", shell.ErrInterrupted
	case <-read:
	}
	if err != nil {
		return "", shell.FileError(err)
	}
	return text, nil
}

func readAll(stdin io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		stdin = f
	}
	const most = policy.MaxSize + 1024 // with a line #version
	text, err := io.ReadAll(io.LimitReader(stdin, most+1))
	if err == nil && len(text) > most {
		err = fmt.Errorf("more than the %d bytes that a policy has at most", policy.MaxSize)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(text), nil
}

// A Next is a document that is to be the policy.
type Next struct {
	name     string // of its file
	Document policy.Document
	version  int64 // of the policy that it is a copy of
	isCopy   bool
	MayEnd   bool // the policy, by having no rule
}

// ErrEmpty is of a document that is to be the policy, and would end it.
var ErrEmpty = errors.New("is empty, which would end the policy; want --force, too")

// ParseNext reads a document that is to be the policy, and refuses one that is wrong, unless it is
// forced: a line that is left out by mistake is a server that is called by mistake.
func ParseNext(name, text string, force bool) (n Next, err error) {
	n.name, n.MayEnd = name, force
	document, err := policy.ParseCopy(text)
	if err == nil {
		n.Document, n.version, n.isCopy, err = document.CutVersion()
	}
	if err != nil {
		return n, fmt.Errorf("%s: %w", name, trimmed(err))
	}
	problems := n.Document.Problems(time.Now())
	switch {
	case force:
	case n.Document.IsEmpty():
		err = ErrEmpty
	case len(problems) > 0:
		err = fmt.Errorf("%s wrong: %w", shell.Count(len(problems), "line"), placed(text,
			problems[0]))
	}
	if err != nil {
		return n, fmt.Errorf("%s: %w", name, err)
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
	return trimmed(&moved)
}

// IsCopy reports whether n is a copy of a version of a policy.
func (n Next) IsCopy() bool { return n.isCopy }

// Edit replaces what is there by n. If n is a copy of a version, it must be the present one:
// otherwise somebody else's lines would be lost. A document without a rule that is no such copy ends
// a policy as an empty one does, and must be one that may: who was shown the rules may take all away.
func (n Next) Edit(before policy.Document, version int64, _ time.Time) (policy.Document, error) {
	if n.isCopy && version != n.version && !before.IsEmpty() {
		return before, fmt.Errorf("%s is a copy of version %d, and the policy has version %d "+
			"by now: somebody else wrote it; without the line #version it is replaced",
			n.name, n.version, version)
	}
	if !n.isCopy && !n.MayEnd && len(n.Document.Rules()) == 0 && len(before.Rules()) > 0 {
		return before, shell.FileError(fmt.Errorf("%s has no rule, which would end the policy; "+
			"want --force, too", n.name))
	}
	return n.Document, nil
}

// Problems is a line for each problem of a file.
func Problems(name string, problems []*policy.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(transport.Printable(fmt.Sprintf("%s: %v", name, trimmed(p))) + "\n")
	}
	return b.String()
}

// Printable is text with escapes for what a terminal would act on.
func Printable(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		content, ended := strings.CutSuffix(line, "\n")
		lines[i] = transport.Printable(content)
		if ended {
			lines[i] += "\n"
		}
	}
	return strings.Join(lines, "")
}

// EditText has $EDITOR, which may have arguments, edit text in a file of that name. The keyboard's
// signals are the editor's: what is typed there to end a search is not to end the edit. After an
// error there is a file of that name only if the editor has left one.
func EditText(ctx context.Context, name, text string) (string, error) {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		os.Remove(name) // of a disk that is full
		return "", err
	}
	editor := os.Getenv("EDITOR")
	if editor == "" {
		editor = "vi"
	}
	// The shell outlives the signals, too; a trap, unlike an ignored signal, is not inherited.
	cmd := exec.Command("sh", "-c", "trap : INT QUIT; "+editor+` "$1"`, "sh", name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	defer shell.LeaveInterrupts(ctx)()
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("editor %s: %w", editor, err)
	}
	edited, err := os.ReadFile(name)
	return string(edited), err
}

// trimmed is an error of package policy without its name.
func trimmed(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "policy: ")) }
