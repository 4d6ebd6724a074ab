package snapshot

import (
	"errors"
	"sync"
	"time"

	"example.com/daytime/sd/internal/signal"
)

const (
	writePause   = 5 * time.Second // at least, between two writes
	confirmPause = time.Minute     // between two writes of a set that does not change

	notWrittenPause = 3 * time.Minute // between two lines about one reason
)

// A Saver keeps a set in a file, in a goroutine of its own.
type Saver struct {
	File string
	Ours *Origin // nil: of any registry

	changed signal.Signal
	pause   *time.Timer   // from one write to the next; cut short by what is urgent
	quit    chan struct{} // closed by Close
	once    sync.Once
	done    chan struct{} // closed when the goroutine has ended

	// Used by the goroutine alone.
	source   Source
	isOurs   bool  // the file is known to be this registry's
	logged   error // why the file was not written, as the log says
	loggedAt time.Time
}

// A Source is what a Saver asks for the set. Its functions are called from the Saver's goroutine.
type Source struct {
	Document func() (doc Document, ok bool) // as it is now, unless there is none worth a file
	IsLive   func() bool                    // the registry confirms the set
	Warn     func(error)                    // does not block
}

// NewSaver returns a Saver of a file, of any registry, which does nothing before Start.
func NewSaver(file string) *Saver {
	return &Saver{
		File:    file,
		changed: signal.New(),
		pause:   time.NewTimer(0),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// Start begins to write when the set has changed, now and then while the registry confirms it, and
// in the end.
func (s *Saver) Start(source Source) {
	s.source = source
	go s.run()
}

// Changed says that the set is another, which is written at most every 5 s, or now if it is urgent.
// It does not block.
func (s *Saver) Changed(urgent bool) {
	if urgent {
		s.pause.Reset(0)
	}
	s.changed.Set() // last: the write that it causes begins another pause
}

// Close ends the goroutine, which writes once more, and waits for it.
func (s *Saver) Close() {
	s.once.Do(func() { close(s.quit) })
	<-s.done
}

func (s *Saver) run() {
	defer close(s.done)
	defer s.save()
	confirm := time.NewTicker(confirmPause)
	defer confirm.Stop()
	defer s.pause.Stop()
	for { // first a pause, then something to write
		select {
		case <-s.quit:
			return
		case <-s.pause.C:
		}
		due := true
		select {
		case <-s.quit:
			return
		case <-s.changed:
		case <-confirm.C:
			due = s.source.IsLive()
		}
		s.pause.Reset(writePause)
		if due {
			s.save()
		}
	}
}

// save writes the set, if there is one, and says why it could not.
func (s *Saver) save() {
	doc, ok := s.source.Document()
	if !ok {
		return
	}
	if err := s.write(doc); err != nil && s.isNews(err) {
		s.source.Warn(err)
	}
}

// isNews reports whether err is worth a line: another reason than the last time, or long after it.
func (s *Saver) isNews(err error) bool {
	news := s.logged == nil || err.Error() != s.logged.Error() ||
		time.Since(s.loggedAt) >= notWrittenPause
	if news {
		s.logged, s.loggedAt = err, time.Now()
	}
	return news
}

// write writes the file, unless it is another registry's.
func (s *Saver) write(doc Document) error {
	if !s.isOurs {
		if _, err := Read(s.File, s.Ours); errors.Is(err, ErrNotOurs) {
			return err
		}
	}
	err := Write(s.File, doc)
	s.isOurs = s.isOurs || err == nil
	return err
}
