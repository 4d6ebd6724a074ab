package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadSecret(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want string // "" is an error
	}{
		"one line":          {"user:password\n", "user:password"},
		"no line end":       {"user:password", "user:password"},
		"of another system": {"user:password\r\n", "user:password"},
		"with colon":        {"user:pass:word", "user:pass:word"},
		"with blanks":       {"user: pass word ", "user: pass word "},
		"longest":           {"u:" + strings.Repeat("x", maxSecret-2), "u:" + strings.Repeat("x", maxSecret-2)},
		"too long":          {"u:" + strings.Repeat("x", maxSecret-1), ""},
		"empty":             {"", ""},
		"no password":       {"user:\n", ""},
		"no user":           {":password\n", ""},
		"no colon":          {"password\n", ""},
		"two lines":         {"user:password\nuser:password\n", ""},
		"empty line first":  {"\nuser:password\n", ""},
		"empty line last":   {"user:password\n\n", ""},
		"zero byte":         {"user:pass\x00word", ""},
		"byte order mark":   {"\xef\xbb\xbfuser:password\n", ""},
		"UTF-16":            {"\xff\xfeu\x00:\x00p\x00", ""},
		"UTF-16, big":       {"\xfe\xff\x00u\x00:\x00p", ""},
		"mark inside":       {"user:\xef\xbb\xbfpassword\n", "user:\xef\xbb\xbfpassword"},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		have, err := readSecret(file)
		if string(have) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: want %q, have %q, error %v", name, c.want, have, err)
		}
		if err != nil && (!strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "pass\x00") || strings.Contains(err.Error(), "xx")) {
			t.Errorf("%s: want an error that names the file and not the secret, have %v", name, err)
		}
	}
}

func TestSecretFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(path("good"), []byte("user:password"), 0o600),
		os.Symlink(path("good"), path("link")),
		os.Mkdir(path("directory"), 0o700),
		syscall.Mkfifo(path("pipe"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"link":      "",
		"directory": "regular file",
		"pipe":      "regular file",
		"missing":   "no such file",
	} {
		_, err := readSecret(path(name))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path(name))) {
			t.Errorf("%s: want %q, have %v", name, want, err)
		}
	}
	for mode, good := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o440: true, 0o640: true, 0o040: true, 0o500: true, 0o550: true, 0o700: true, 0o410: true,
		0o660: false, 0o604: false, 0o404: false, 0o444: false, 0o620: false, 0o602: false, 0o460: false, 0o644: false, 0o666: false,
	} {
		if err := os.Chmod(path("good"), mode); err != nil {
			t.Fatal(err)
		}
		_, err := readSecret(path("good"))
		if (err == nil) != good {
			t.Errorf("mode %04o: want good %t, have %v", mode, good, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "mode 0640 or stricter") || !strings.Contains(err.Error(), mode.String())) {
			t.Errorf("mode %04o: want an error that says it and what is allowed, have %v", mode, err)
		}
	}
}

// A file of another user is refused even if it may be read. Only root can try.
func TestSecretFileIsOurs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot give a file away")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(file, []byte("user:password"), 0o600), os.Chown(file, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if _, err := readSecret(file); err == nil || !strings.Contains(err.Error(), "this user's") {
		t.Errorf("want an error about the owner, have %v", err)
	}
}
