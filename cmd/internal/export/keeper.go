package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/shell"
)

const (
	writePause = time.Second     // at least, between two writes
	writeRetry = 5 * time.Second // after a write, or a command, that failed
	lookPause  = 10 * time.Second
)

// ErrTooFew is why a list is not written that Keeper.Min does not allow.
var ErrTooFew = errors.New("too few, nothing is written")

// A Keeper keeps a File as a list is.
type Keeper struct {
	File   File
	Format Format
	Min    int             // while fewer are listed the file stays as it is
	List   func() []Server // who is registered now
	Loss   func()          // if not nil, tells what of the policy the form does not express
	Logger kitlog.Logger
}

// Text is the list in its form, and how long it is. The error matches ErrTooFew if it is too short.
func (k Keeper) Text() (text string, servers int, err error) {
	list := k.List()
	if have := len(list); have < k.Min {
		return "", have, fmt.Errorf("%d registered, want %d: %w", have, k.Min, ErrTooFew)
	}
	if k.Loss != nil {
		k.Loss()
	}
	text, err = k.Format(list)
	return text, len(list), err
}

// Write writes the list as it is now, and has the command run if that is due.
func (k Keeper) Write(ctx context.Context) error {
	text, servers, err := k.Text()
	if err != nil {
		return err
	}
	changed, err := k.File.Write(ctx, text)
	if changed {
		level.Info(k.Logger).Log("msg", "written", "file", k.File.Path, "servers", servers)
	}
	return err
}

// Watch writes the list whenever it has changed, until ctx is done. A write or a command that
// failed is logged and tried again. Follow calls its argument after each change, and stops when
// stop is called. What no change tells of, such as another tag of a server, is looked for every
// 10 s after the first one.
func (k Keeper) Watch(ctx context.Context, follow func(changed func()) (stop func())) {
	changed := make(chan struct{}, 1)
	stop := follow(func() {
		select {
		case changed <- struct{}{}:
		default: // the list is read when that one is taken
		}
	})
	defer stop()
	timer := time.NewTimer(writeRetry)
	timer.Stop() // there is nothing to write yet
	for {
		isNews := false
		select {
		case <-ctx.Done():
			return
		case <-changed:
			isNews = true
		case <-timer.C:
		}
		err := k.Write(ctx)
		tooFew := errors.Is(err, ErrTooFew)
		if err != nil && ctx.Err() == nil && (isNews || !tooFew) {
			level.Warn(k.Logger).Log("msg", "not exported", "err", err)
		}
		timer.Reset(lookPause)
		if err != nil && !tooFew {
			timer.Reset(writeRetry)
		}
		shell.Sleep(ctx, writePause)
	}
}
