package zkdev

import (
	"regexp"
	"strings"
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"
)

func TestFourLetterWords(t *testing.T) {
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr := s.Addr().String()
	s.Create("/a", nil, 77)

	if have, want := word(addr, "ruok"), "imok"; have != want {
		t.Errorf("ruok: have %q, want %q", have, want)
	}
	if have, want := word(addr, "srvr"), "Zxid: 0x1\nMode: standalone\nNode count: 6\n"; !strings.HasSuffix(have, want) {
		t.Errorf("srvr: have %q, want an end like %q", have, want)
	}
	if have, want := word(addr, "mntr"), "zk_ephemerals_count\t1\n"; !strings.Contains(have, want) {
		t.Errorf("mntr: have %q, want in it %q", have, want)
	}
	if have := word(addr, "nope"); have != "" {
		t.Errorf("a word that is none: have %q, want nothing", have)
	}
	stats, ok := gozk.FLWSrvr([]string{addr}, time.Second)
	if !ok || stats[0].NodeCount != 6 || stats[0].Mode != gozk.ModeStandalone {
		t.Errorf("a client's parser of srvr: have %+v, %v", stats[0], ok)
	}
}

// TestMntrKeys wants no key from this server that a real one does not have.
func TestMntrKeys(t *testing.T) {
	real, s := word(realServer(t), "mntr"), New()
	defer s.Close()
	for _, key := range regexp.MustCompile(`(?m)^zk_\w+`).FindAllString(s.mntr(), -1) {
		if !strings.Contains(real, key+"\t") {
			t.Errorf("ZooKeeper's mntr has no %s", key)
		}
	}
}
