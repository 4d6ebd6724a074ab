package matrix

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Flags of the test binary, read only.
var (
	runMatrix  = flag.Bool("matrix", false, "run the matrix, which takes a minute and a half")
	runSteered = flag.Bool("matrix.policy", false,
		"run rows of the matrix with a policy in force; with -matrix.all all")
	runAll    = flag.Bool("matrix.all", false, "also run the rows that take long or need tools")
	runGhosts = flag.Bool("matrix.ghosts", false, "also run the long sequences")
	runPeers  = flag.Bool("matrix.peers", false,
		"also run the faults of measured peers, with go-kit's sd/zk beside ours")
)

// TestMain is also the main of the child processes.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(runChild(role))
	}
	goleak.VerifyTestMain(m)
}

// hold lets a fault last. It waits for no condition.
func hold(d time.Duration) { time.Sleep(d) }

// Example shows what a row of the table is made of.
func Example() {
	var r report
	r.add(line{id: "F0", fault: "none", requests: 500, p50: time.Millisecond,
		p99: 2 * time.Millisecond, slowest: 3 * time.Millisecond})
	for line := range strings.Lines(r.table()) {
		fmt.Println(strings.Join(strings.Fields(line), " "))
	}
	// Output:
	// row fault failed/requests failed attempts p50 p99 max converged expired dials lists late notes
	// F0 none 0/500 0 1ms 2ms 3ms 0s 0 0 0 0s
}
