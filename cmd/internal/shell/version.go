package shell

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version describes the build, as far as the Go command has written that into the program:
// the module's version, or else the commit, and the Go release.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describe(info)
}

func describe(info *debug.BuildInfo) string {
	var commit, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " commit " + s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " modified"
		}
	}
	name := strings.Trim(info.Main.Version, "()")
	if name == "" {
		name = "devel"
	}
	return fmt.Sprintf("%s%s%s %s %s/%s",
		name, commit, modified, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
