package session

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
)

const (
	// maxSecret bounds user and password together.
	maxSecret = 1024
	// forbidden are the rights on an auth-file that nobody may have: its group and others must not
	// write it, and others must not read it. The group may read it: a Secret that Kubernetes mounts
	// for a process that is not root's is root's, with a mode of 0440.
	forbidden = 0o026
)

// readSecret reads "user:password" from a file. Its errors name the file and what is allowed, and
// never what is in it.
func readSecret(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold it up
	if err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	const want = "want a regular file of this user's or root's, " +
		"with mode 0640 or stricter: written by its owner alone, and not read by others"
	switch mode := info.Mode(); {
	case !mode.IsRegular() || mode.Perm()&forbidden != 0:
		return nil, fmt.Errorf("auth-file %s: mode %v: %s", name, mode, want)
	case !isTrusted(info):
		return nil, fmt.Errorf("auth-file %s: another user's: %s", name, want)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("auth-file: %w", err)
	}
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if mark := byteOrderMark(secret); mark != "" {
		return nil, fmt.Errorf("auth-file %s: begins with a byte order mark of %s, "+
			"which would be part of the user's name: want UTF-8 without", name, mark)
	}
	user, password, found := bytes.Cut(secret, []byte(":"))
	if !found || len(user) == 0 || len(password) == 0 || len(text) > maxSecret ||
		bytes.ContainsAny(secret, "\r\n\x00") {
		return nil, fmt.Errorf("auth-file %s: want one line, user:password, of %d bytes at most",
			name, maxSecret)
	}
	return secret, nil
}

// byteOrderMark returns the encoding of the mark that text begins with, or "".
func byteOrderMark(text []byte) string {
	for mark, encoding := range map[string]string{
		"\xef\xbb\xbf": "UTF-8", "\xff\xfe": "UTF-16", "\xfe\xff": "UTF-16",
	} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return encoding
		}
	}
	return ""
}
