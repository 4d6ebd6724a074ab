package matrix

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	kitsd "github.com/go-kit/kit/sd"
	kitzk "github.com/go-kit/kit/sd/zk"
	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk"
)

// The roles of processes that speak for one library. Each name is followed by the library's.
const (
	roleAnnounce = "announce "
	roleWatch    = "watch "
	roleCrowd    = "crowd "
)

// The libraries.
const (
	ours   = "ours"
	gokits = "go-kit"
)

// serviceName is the last part of a directory; go-kit puts nodes below path and name.
const serviceName = "service"

// runAgent is the main of such a process. It ends with its standard input.
func runAgent(role string) error {
	target, err := sd.ParseTarget(os.Getenv(targetVariable))
	if err != nil {
		return err
	}
	switch what, library, _ := strings.Cut(role, " "); what + " " {
	case roleAnnounce:
		return announceUntilTold(library, target, os.Getenv(instanceVariable))
	case roleWatch:
		return watchAll(library, target, 1)
	case roleCrowd:
		return watchAll(library, target, 50)
	default:
		return fmt.Errorf("unknown role %q", role)
	}
}

// announceUntilTold registers, and deregisters at the first line of input.
func announceUntilTold(library string, target sd.Target, instance string) error {
	registrar, err := newRegistrar(library, target, instance)
	if err != nil {
		return err
	}
	registrar.Register()
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		registrar.Deregister()
	}
	return input.Err()
}

func newRegistrar(library string, target sd.Target, instance string) (kitsd.Registrar, error) {
	logger := kitlog.NewLogfmtLogger(kitlog.NewSyncWriter(os.Stderr))
	if library == ours {
		backend, err := zk.OpenBackend(target)
		if err != nil {
			return nil, err
		}
		return sd.NewRegistrar(backend, instance, logger)
	}
	client, err := newKitClient(target)
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(target.Path, serviceName)
	return kitzk.NewRegistrar(client, kitzk.Service{Path: path, Name: serviceName,
		Data: []byte(instance)}, logger), nil
}

func newKitClient(target sd.Target) (kitzk.Client, error) {
	var hosts []string
	for _, h := range target.Hosts {
		hosts = append(hosts, h.String())
	}
	return kitzk.NewClient(hosts, kitlog.NewNopLogger(), kitzk.SessionTimeout(sessionTimeout))
}

// watchAll prints what each of n subscribers gets: its number, the time, and the instances. With
// more than one, number 0 does not read.
func watchAll(library string, target sd.Target, n int) error {
	instancer, err := newInstancer(library, target)
	if err != nil {
		return err
	}
	var printing sync.Mutex
	for i := range n {
		events := make(chan kitsd.Event, 1) // go-kit sends the first within Register
		if n == 1 || i > 0 {
			go func() {
				for e := range events {
					printing.Lock()
					fmt.Printf("%d %d %d %s\n", i, time.Now().UnixNano(), len(e.Instances), firstFew(e))
					printing.Unlock()
				}
			}()
		}
		instancer.Register(events)
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
	}
	return input.Err()
}

// firstFew keeps lines short.
func firstFew(e kitsd.Event) string {
	if e.Err != nil {
		return "error"
	}
	instances := slices.Clone(e.Instances)
	slices.Sort(instances)
	return strings.Join(instances[:min(len(instances), 5)], ",")
}

func newInstancer(library string, target sd.Target) (kitsd.Instancer, error) {
	if library == ours {
		backend, err := zk.OpenBackend(target)
		if err != nil {
			return nil, err
		}
		return sd.NewInstancer(backend, kitlog.NewNopLogger()), nil
	}
	client, err := newKitClient(target)
	if err != nil {
		return nil, err
	}
	return kitzk.NewInstancer(client, target.Path, kitlog.NewNopLogger())
}

// An event is a line of watchAll.
type event struct {
	subscriber int
	at         time.Time
	size       int
	failed     bool
	instances  []string // the first few
}

// events returns what a watching process has printed so far.
func (c *child) events(t testing.TB) (events []event) {
	t.Helper()
	for line := range strings.Lines(c.output.String()) {
		fields := strings.Split(strings.TrimSpace(line), " ")
		if len(fields) < 3 || !strings.HasSuffix(line, "\n") {
			continue
		}
		var e event
		var numbers [3]int64
		for i := range numbers {
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				break // a log line
			}
			numbers[i] = n
		}
		if numbers[1] == 0 {
			continue
		}
		e.subscriber, e.at, e.size = int(numbers[0]), time.Unix(0, numbers[1]), int(numbers[2])
		if len(fields) > 3 {
			e.failed = fields[3] == "error"
			e.instances = strings.Split(fields[3], ",")
		}
		events = append(events, e)
	}
	return events
}

// tell sends a line to the process.
func (c *child) tell(t testing.TB, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		t.Error(err)
	}
}
