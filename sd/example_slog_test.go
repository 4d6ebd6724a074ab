package sd_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/mem"
	kitlog "github.com/go-kit/log"
)

// A slogLogger is a go-kit logger that writes to a slog.Handler. The value of "msg" is the message,
// that of "level" the level, and the rest are attributes, in their order. A line has no source.
type slogLogger struct{ slog.Handler }

func (l slogLogger) Log(keyvals ...any) error {
	var level slog.Level // info, without one
	var message string
	var attributes []slog.Attr
	for n := 0; n < len(keyvals); n += 2 {
		key, value := fmt.Sprint(keyvals[n]), any(kitlog.ErrMissingValue)
		if n+1 < len(keyvals) {
			value = keyvals[n+1]
		}
		switch key {
		case "msg":
			message = fmt.Sprint(value)
		case "level":
			if err := level.UnmarshalText(fmt.Append(nil, value)); err == nil {
				continue
			}
			fallthrough
		default:
			attributes = append(attributes, slog.Any(key, value))
		}
	}
	if !l.Enabled(context.Background(), level) {
		return nil
	}
	record := slog.NewRecord(time.Now(), level, message, 0)
	record.AddAttrs(attributes...)
	return l.Handle(context.Background(), record)
}

// A program that logs with log/slog passes its handler on by thirty lines.
func Example_slog() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})
	logger := sd.NewAsyncLogger(slogLogger{handler})

	registry := mem.NewRegistry()
	backend := registry.Open()
	defer backend.Close()
	registrar, err := sd.NewRegistrar(backend, "192.0.2.1:8897", logger)
	if err != nil {
		panic(err)
	}
	registrar.Register()
	registrar.Deregister()
	logger.Close()
	// Output:
	// level=INFO msg=registered instance=192.0.2.1:8897
	// level=INFO msg=withdrawn instance=192.0.2.1:8897
}
