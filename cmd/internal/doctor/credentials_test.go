package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/doctor/report"
	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// Everybody may read the directory, so that a wrong password is noticed by nothing else.
func TestWrongPassword(t *testing.T) {
	server, err := zkdev.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	acl := append(gozk.DigestACL(gozk.PermAll, "ops", "secret"), gozk.WorldACL(gozk.PermRead)...)
	makeNode(t, server.Addr().String(), "/go_servers", acl)
	for secret, ok := range map[string]bool{"ops:secret\n": true, "ops:wrong\n": false, "server:secret\n": false} {
		file := filepath.Join(t.TempDir(), "auth")
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		r := examine(t, "zk://"+server.Addr().String()+"/go_servers?auth-file="+file)
		if have := !has(r, want{report.Warning, "credentials", file, "ops"}) && !has(r, want{report.Warning, "credentials", file, "server"}); have != ok {
			t.Errorf("%q: want it to be fine: %t, have\n%s", secret, ok, problems(r))
		}
		if ok && !strings.Contains(r.Text(300, true), "user ops may register servers and write the policy") {
			t.Errorf("want the rights, have\n%s", r.Text(300, true))
		}
	}
}
