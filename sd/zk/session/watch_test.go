package session

import (
	"errors"
	"fmt"
	"testing"

	"example.com/daytime/sd/zk/zkdev"
	gozk "github.com/go-zookeeper/zk"
)

// The reply to an addWatch is the reply to the library's sync: it comes after what was sent before
// it, and an error is the caller's.
func TestAddWatch(t *testing.T) {
	inLab(t, one, func(l *lab) {
		_, on := l.connected()
		for _, mode := range []Mode{Node, Tree} {
			if err := on.AddWatch(fmt.Sprintf("%s/%d", directory, mode), mode); err != nil {
				t.Errorf("%d: %v", mode, err)
			}
		}
		if have := l.Sessions()[0].Watches; have != 4 {
			t.Errorf("watches: want 2, which count twice, have %d", have)
		}
		_, _, exists := on.ExistsOnce("/")
		_, _, children := on.ChildrenOnce("/")
		_, _, data := on.GetOnce("/")
		if err := errors.Join(on.AddWatch("/", Tree), exists, children, data); err != nil {
			t.Errorf("the root: %v", err)
		}
		if err := on.AddWatch("//", Tree); !errors.Is(err, gozk.ErrInvalidPath) || !on.CanAddWatch() {
			t.Errorf("a wrong path: want %v, and no conclusion, have %v, %t", gozk.ErrInvalidPath, err, on.CanAddWatch())
		}
		l.FailAll(zkdev.OpAddWatch, zkdev.NoAuth)
		if err := on.AddWatch(directory, Tree); err == nil {
			t.Error("error: want the server's, have none")
		}
		if syncs := l.Requests(zkdev.OpSync); syncs != 0 {
			t.Errorf("syncs: want none, have %d", syncs)
		}
	})
}
