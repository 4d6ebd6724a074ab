package asynclog_test

import (
	"os"
	"testing"
	"time"

	"example.com/daytime/sd/internal/asynclog"
	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ExampleQueue() {
	q := asynclog.New(kitlog.NewLogfmtLogger(os.Stdout))
	q.Add([]any{"msg", "written later"})
	q.Flush(time.Second)
	// Output:
	// msg="written later"
}
