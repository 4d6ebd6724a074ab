package layout_test

import (
	"os"
	"strings"
	"testing"

	"example.com/daytime/sd/zk/layout"
)

// Names that providers of dubbo-go 1.5.3 and 3.3.2 wrote into a ZooKeeper, with other addresses.
// Two were given the version 2.1+5 and the weight 250, the third neither: 3.3.2 writes weight=0
// then. 1.5.3 escapes values before it escapes the URL, and calls itself 1.3.0.
func TestDubboGo(t *testing.T) {
	for file, want := range map[string]string{
		"dubbo-go-1.5.3": "192.0.2.1:20013 250  " +
			"map[application:time protocol:dubbo version:2.1+5] since 1795863124000",
		"dubbo-go-3.3.2": "192.0.2.1:20008 250  " +
			"map[application:time protocol:tri version:2.1+5] since 1795862952000",
		"dubbo-go-3.3.2-default-weight": "[2001:db8::1]:20004 0  " +
			"map[application:time protocol:tri] since 1795862925000",
	} {
		name, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := layout.Dubbo().Read(strings.TrimSpace(string(name)), nil)
		if have := text(e); err != nil || have != want {
			t.Errorf("%s: want %q, have %q, %v", file, want, have, err)
		}
	}
}
