package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/shelltest"
)

// An address that could not be registered is refused before anything is opened.
func Example() {
	code := run(context.Background(), []string{"--listen", ":8897"}, os.LookupEnv, os.Stdout, os.Stdout)
	fmt.Println("exit code", code)
	// Output:
	// daytimesvc: --listen ":8897": clients cannot dial a wildcard address; say with --advertise what to register
	// Try 'daytimesvc --help'.
	// exit code 2
}

func TestHelp(t *testing.T) {
	stdout, stderr := try(t, shell.ExitOK, "--help")
	shelltest.Golden(t, "help.txt", stdout)
	shelltest.WantWidth(t, stdout, 80)
	if stderr != "" {
		t.Errorf("want nothing on stderr, have %q", stderr)
	}
}

func TestWrongCommands(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"start", `argument "start": daytimesvc takes flags only`},
		{"--daemon", `unknown flag: --daemon`},
		{"--drain", `flag needs an argument: --drain`},
		{"--drain long", `--drain "long": want a duration such as 500ms or 2s, 0s or more`},
		{"--drain -1s", `--drain "-1s": want a duration such as 500ms or 2s, 0s or more`},
		{"--drain 25h", `--drain "25h": too long: want 24h at most`},
		{"--format iso", `--format "iso": want default, rfc867, unix, rfc3339`},
		{"--max-conns -1", `--max-conns "-1": want auto, or a whole number, 0 or more`},
		{"--max-conns 99999999999999999999", `--max-conns "99999999999999999999": want auto, or a whole number, 0 or more, 9223372036854775807 at most`},
		{"--drain 99999999h", `--drain "99999999h": too long: want 24h at most`},
		{"--max-conns-per-ip few", `--max-conns-per-ip "few": want a whole number, 0 or more`},
		{"--log-format xml", `--log-format "xml": want auto, words, logfmt, json`},
		{"--log-level loud", `--log-level "loud": want debug, info, warn, error`},
		{"--dev=perhaps", `--dev "perhaps": want true or false`},
		{"--anonymous=", `--anonymous "": want true or false`},
		{"--listen 8897", `--listen "8897": address "8897": want host:port, such as`},
		{"--listen 127.0.0.1:http", `--listen "127.0.0.1:http": address "127.0.0.1:http": want host:port`},
		{"--listen 127.0.0.1:65536", `--listen "127.0.0.1:65536": address "127.0.0.1:65536": want host:port`},
		{"--listen *:8897", `--listen "*:8897": address "*:8897": want ":8897" for all addresses of this host`},
		{"--listen 127.0.0.256:1", `--listen "127.0.0.256:1": address "127.0.0.256:1": host "127.0.0.256": want a name`},
		{"--listen a..b:1", `--listen "a..b:1": address "a..b:1": host "a..b": want a name, an address, or nothing`},
		{"--listen http://a:1", `--listen "http://a:1": address "http://a:1": want host:port`},
		{"--listen 127.0.0.1:1,", `--listen "127.0.0.1:1,": address "": want host:port`},
		{"--listen 127.0.0.1:1,127.0.0.1:1", `--listen "127.0.0.1:1,127.0.0.1:1": want each address once`},
		{"--listen 0.0.0.0:0", `--listen "0.0.0.0:0": clients cannot dial a wildcard address; say with --advertise`},
		{"--listen [::]:0", `--listen "[::]:0": clients cannot dial a wildcard address`},
		{"--listen [::ffff:0.0.0.0]:0", `--listen "[::ffff:0.0.0.0]:0": clients cannot dial a wildcard address`},
		{"--advertise here:1", `--advertise "here:1": instance "here:1": not an ip:port; want a canonical ip:port`},
		{"--advertise 0.0.0.0:1", `--advertise "0.0.0.0:1": instance "0.0.0.0:1": an unspecified address cannot be dialled`},
		{"--advertise 192.0.2.1:0", `--advertise "192.0.2.1:0": instance "192.0.2.1:0": port 0 cannot be dialled`},
		{"--advertise 192.0.2.1:1", `--advertise "192.0.2.1:1": 1; want 3, one for each listen address, in the same order`},
		{"--listen :0 --advertise 192.0.2.1:1,192.0.2.1:2", `--advertise "192.0.2.1:1,192.0.2.1:2": 2; want 1, one for each listen address`},
		{"--listen 127.0.0.1:0 --sd consul://h", `--sd target "consul://h": unknown scheme "consul"; known are dns, etcd, file, fixed, zk`},
		{"--listen 127.0.0.1:0 --sd zk://h/..", `--sd target zk://h/..: path "/..": want `},
		{"--listen 127.0.0.1:0 --dev --sd zk://192.0.2.1", `--sd "zk://192.0.2.1": --dev wants one ZooKeeper on a loopback address`},
		{"--listen 127.0.0.1:0 --dev --sd zk://127.0.0.1:1,127.0.0.1:2", `--sd "zk://127.0.0.1:1,127.0.0.1:2": --dev wants one ZooKeeper`},
		{"--listen 127.0.0.1:0 --dev --sd fixed://127.0.0.1:1", `--sd "fixed://127.0.0.1:1": --dev wants one ZooKeeper`},
		{"--listen 127.0.0.1:0 --dev --sd zk:", `--sd target "zk:": no scheme before ://`},
		{"--listen 127.0.0.1:0 --dev --sd localhost:2181", `--sd target "localhost:2181": no scheme before ://; did you mean zk://localhost:2181?`},
		{"--listen 127.0.0.1:0 --dev --sd zk://127.0.0.1?tls-ca=f", `--sd "zk://127.0.0.1?tls-ca=f": the ZooKeeper of --dev speaks no TLS`},
		{"--listen 127.0.0.1:1 --listen 127.0.0.1:1", `--listen "127.0.0.1:1": want each address once`},
		{"--listen 127.0.0.1:0 --sd file:///srv/list", `--sd "file:///srv/list": this registry can be read, and takes no registration; want zk:// or etcd://`},
		{"--listen 127.0.0.1:0 --sd zk://127.0.0.1/services/time?layout=curator", `--sd "zk://127.0.0.1/services/time?layout=curator": this registry can be read, and takes no registration; want it without layout`},
		{"--listen 127.0.0.1:0 --sd dns:///daytime.example.com", `--sd "dns:///daytime.example.com": this registry can be read, and takes no registration`},
		{"--sd zk://192.0.2.1 --sd dns:///daytime.example.com", `--sd "dns:///daytime.example.com": this registry can be read`},
		{"--sd zk://192.0.2.1 --sd fixed://127.0.0.1:1", `--sd "fixed://127.0.0.1:1": registers nowhere; leave it out`},
		{"--listen 127.0.0.1:0 --sd zk://127.0.0.1:1 --sd zk://127.0.0.1:1", `--sd "zk://127.0.0.1:1": is given twice; want each registry once`},
		{"--listen 127.0.0.1:0 --sd zk://127.0.0.1:1 --sd zk://localhost:1/go_servers/", `--sd "zk://localhost:1/go_servers/": is the same registry as "zk://127.0.0.1:1"; want each once`},
		{"--listen 127.0.0.1:0 --sd zk://127.0.0.1:1 --sd consul://h", `--sd target "consul://h": unknown scheme "consul"`},
		{"--sd= ", `--sd "": want the URL of a registry`},
		{"--weight 1001", `--weight "1001": want a whole number, 0 to 1000`},
		{"--weight -1", `--weight "-1": want a whole number, 0 to 1000`},
		{"--weight heavy", `--weight "heavy": want a whole number, 0 to 1000`},
		{"--zone a=b", `--zone "a=b": the name of a zone has no =`},
		{"--zone=", `--zone "": the value is empty`},
		{"--tag version", `--tag "version": want key=value, such as version=2.1`},
		{"--tag zone=a", `--tag "zone=a": tag "zone": this key is reserved`},
		{"--tag a=1 --tag a=2", `--tag "a=2": want each key once; a=1 stands before it`},
		{"--tls-cert f", `--tls-cert "f": want --tls-key, too`},
		{"--tls-key f", `--tls-key "f": want --tls-cert, too`},
		{"--tls-client-ca f", `--tls-client-ca "f": want --tls-cert and --tls-key, too`},
		{"--listen 127.0.0.1:0 --sd fixed://127.0.0.1:1 --tls-cert /no/such --tls-key /no/such", `--tls-cert `},
		{"--listen 127.0.0.1:0 --sd fixed://127.0.0.1:1 --tls-cert f --tls-key f --tls-client-ca /no/such", `--tls-client-ca `},
		{"--help=me", `--help "me": `},
	} {
		stdout, stderr := try(t, shell.ExitUsage, strings.Fields(test.args)...)
		line, hint, _ := strings.Cut(stderr, "\n")
		if want := "daytimesvc: " + test.want; !strings.HasPrefix(line, want) {
			t.Errorf("%q: want %q, have %q", test.args, want, line)
		}
		if want := "Try 'daytimesvc --help'.\n"; stdout != "" || hint != want {
			t.Errorf("%q: want %q and nothing else, have %q and %q", test.args, want, hint, stdout)
		}
	}
}

// A wrong command is told as one, whatever else is wrong: also when its ports are taken.
func TestWrongCommandWithPortsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for _, test := range []struct{ args, want string }{
		{"--sd localhost:2181", `--sd `},
		{"--sd zk://127.0.0.1:1/a?watch=x", `--sd `},
		{"--sd zk://127.0.0.1:1/a?auth-file=/no/such", `--sd `},
		{"--sd zk://127.0.0.1:1 --sd etcd://127.0.0.1:1/a?x=y", `--sd `},
		{"--sd zk://127.0.0.1:1 --sd zk://127.0.0.1:1/go_servers", `--sd `},
		{"--dev --sd zk://" + taken + "/a?session-timeout=x", `--sd `},
		{"--dev --sd zk://" + taken + "/a?auth-file=/no/such", `--sd `},
		{"--sd zk://192.0.2.1/a", `--listen `},
		{"--sd fixed://127.0.0.1:1 --tls-cert /no/such --tls-key /no/such", `--tls-cert `},
		{"--sd fixed://127.0.0.1:1 --admin nowhere", `--admin `},
	} {
		args := append(strings.Fields(test.args), "--listen", taken)
		_, stderr := try(t, shell.ExitUsage, args...)
		if want := "daytimesvc: " + test.want; !strings.HasPrefix(stderr, want) {
			t.Errorf("%q: want %q, have %q", test.args, want, stderr)
		}
	}
	_, stderr := try(t, shell.ExitFailure, "--sd", "fixed://127.0.0.1:1", "--listen", taken)
	shelltest.WantText(t, stderr, "address already in use")
}

func TestDevAddress(t *testing.T) {
	for target, want := range map[string]string{
		"zk://127.0.0.1":                 "127.0.0.1:2181",
		"zk://localhost/a":               "localhost:2181",
		"zk://[::1]:9/a":                 "[::1]:9",
		"zk://127.9.9.9:1234?watch=auto": "127.9.9.9:1234",
	} {
		if have, err := devAddress(target); want != have || err != nil {
			t.Errorf("%s: want %s, have %s, %v", target, want, have, err)
		}
	}
}

// A list that is accepted comes back as it was, and check accepts each of its elements.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"", ",", "127.0.0.1:1", ":1,[::1]:0,:0,:0", "a:1,a:1", "[::1%lo]:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := listOf(shell.CheckListen)(text)
		if err != nil {
			return
		}
		if have := l.String(); text != have {
			t.Errorf("want %q, have %q", text, have)
		}
		for _, s := range l {
			if err := shell.CheckListen(s); err != nil {
				t.Error(err)
			}
		}
	})
}

// A variable with a slip is told; one of the other program is none.
func TestVariableWithASlip(t *testing.T) {
	t.Setenv("DAYTIME_WIEGHT", "3")
	t.Setenv("DAYTIME_COUNT", "127.0.0.1:1")
	var stdout, stderr strings.Builder
	args := []string{"--sd", "fixed://127.0.0.1:1", "--listen", "127.0.0.1:0"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	run(ctx, args, os.LookupEnv, &stdout, &stderr)
	shelltest.WantText(t, stderr.String(), "DAYTIME_WIEGHT sets nothing; did you mean DAYTIME_WEIGHT?")
	if n := strings.Count(stderr.String(), "sets nothing"); n != 1 {
		t.Errorf("want one warning, have %q", stderr.String())
	}
}

// A variable of daytimecli is no mistake here.
func TestClientFlags(t *testing.T) {
	shelltest.WantOtherFlags(t, "../daytimecli", strings.Fields(clientFlags))
}
