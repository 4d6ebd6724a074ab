package zktest_test

import (
	"testing"
	"time"

	gozk "github.com/go-zookeeper/zk"

	"example.com/daytime/sd/zk/zktest"
)

// leaderDiesBehindAStall would be a Test function in a package of your own.
func leaderDiesBehindAStall(t *testing.T) {
	ensemble := zktest.StartEnsemble(t, 3, zktest.TickTime(200*time.Millisecond))
	var addrs []string
	var proxies []*zktest.Proxy
	for _, addr := range ensemble.Addrs() {
		proxy := zktest.NewProxy(t, addr)
		proxies, addrs = append(proxies, proxy), append(addrs, proxy.Addr())
	}
	client, _, err := gozk.Connect(addrs, 4*time.Second, gozk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	for _, proxy := range proxies {
		proxy.Stall()
	}
	ensemble.Leader(t).Kill(t)
	for _, proxy := range proxies {
		proxy.Heal()
	}

	// Those left answer, in the end; the timeout of the test binary bounds the wait.
	for _, _, err := client.Children("/"); err != nil; _, _, err = client.Children("/") {
		time.Sleep(10 * time.Millisecond)
	}
}

// A fault in two layers: the network between a client and its ensemble stalls, and meanwhile the
// leader dies. There is no output to compare, since a real ZooKeeper needs Java.
func Example() {
	_ = []testing.InternalTest{{Name: "leader dies behind a stall", F: leaderDiesBehindAStall}}
}
