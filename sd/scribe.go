package sd

// mostUnwritten is how many log lines may wait for a log that does not take them.
const mostUnwritten = 64

// A scribe writes log lines, in their order and in a goroutine of its own: a log
// whose reader has stalled holds up neither a registration nor its withdrawal.
// Lines that it would have to keep beyond mostUnwritten are lost.
type scribe struct {
	lines chan func()
	done  chan struct{} // closed when the goroutine has ended
}

func newScribe() *scribe {
	s := &scribe{lines: make(chan func(), mostUnwritten), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for write := range s.lines {
			write()
		}
	}()
	return s
}

// add has write called. It does not block.
func (s *scribe) add(write func()) {
	select {
	case s.lines <- write:
	default:
	}
}

// close returns when all lines are written. Nothing is added after it.
func (s *scribe) close() {
	close(s.lines)
	<-s.done
}
