package zkdev

import "testing"

func TestValidPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/a/b": true, "/a.b/...": true, "/127.0.0.1:8897": true,
		"/[::1]:8897": true, "/ä ü": true,
		"/\uf900": true, "/\uffef": true,
		"": false, "a": false, "//": false, "/a/": false, "/a//b": false, "/.": false,
		"/a/../b": false, "/a\x00": false, "/a\n": false,
		"/\x7f": false, "/\u009f": false, "/\ue000": false, "/\ufff0": false, "/\U0001f600": false,
		"/\xff": false,
	} {
		if have := validPath(path); have != want {
			t.Errorf("%q: have %v, want %v", path, have, want)
		}
	}
}

func TestParentAndBase(t *testing.T) {
	for path, want := range map[string][2]string{
		"/a": {"/", "a"}, "/a/b": {"/a", "b"}, "/a/b/c": {"/a/b", "c"}, "/": {"/", ""}, "": {"/",
			""}, "a": {"/", "a"},
	} {
		if have := [2]string{parent(path), base(path)}; have != want {
			t.Errorf("%q: have %q, want %q", path, have, want)
		}
	}
}
