package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	kitlog "github.com/go-kit/log"
	"go.uber.org/goleak"

	"example.com/daytime/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// epoch is the moment of the first example in RFC 867.
func epoch() time.Time {
	return time.Date(1982, time.February, 22, 17, 37, 43, 123456789, time.FixedZone("PST", -8*60*60))
}

func Example() {
	svc := service.New("127.0.0.1:8897", service.Clock(epoch))
	reply, err := svc.Daytime(context.Background())
	fmt.Println(reply, err)
	// Output: 127.0.0.1:8897: 1982-02-22 17:37:43.123456 -0800 PST <nil>
}

func ExampleParseFormat() {
	layout, err := service.ParseFormat("rfc867")
	if err != nil {
		fmt.Println(err)
		return
	}
	options := []service.Option{service.Format(layout), service.Anonymous(), service.Clock(epoch)}
	svc := service.New("127.0.0.1:13", options...)
	reply, _ := svc.Daytime(context.Background())
	fmt.Println(reply)
	// Output: Monday, February 22, 1982 17:37:43-PST
}

func TestFormats(t *testing.T) {
	for _, test := range []struct{ format, want string }{
		{"default", "1982-02-22 17:37:43.123456 -0800 PST"},
		{"rfc867", "Monday, February 22, 1982 17:37:43-PST"},
		{"unix", "Mon Feb 22 17:37:43 PST 1982"},
		{"rfc3339", "1982-02-22T17:37:43-08:00"},
	} {
		layout, err := service.ParseFormat(test.format)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range []bool{true, false} {
			options := []service.Option{service.Clock(epoch), service.Format(layout)}
			want := "[::1]:8897: " + test.want
			if !named {
				options = append(options, service.Anonymous())
				want = test.want
			}
			have, err := service.New("[::1]:8897", options...).Daytime(t.Context())
			if err != nil || have != want {
				t.Errorf("%s: want %q, have %q, %v", test.format, want, have, err)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := "a:1: " + time.Now().Format("2006-01-02 15:04:05.999999 -0700 MST")
		if have, _ := service.New("a:1").Daytime(t.Context()); have != want {
			t.Errorf("want %q, have %q", want, have)
		}
	})
}

func TestParseFormatNamesWhatIsAllowed(t *testing.T) {
	for _, name := range []string{"", "RFC867", "rfc 867", time.RFC1123, "\x1b[31m"} {
		layout, err := service.ParseFormat(name)
		if err == nil || layout != "" {
			t.Errorf("%q: want an error, have %q, %v", name, layout, err)
			continue
		}
		const allowed = "want one of default, rfc867, unix, rfc3339"
		want := fmt.Sprintf("service: unknown format %q, %s", name, allowed)
		if have := err.Error(); have != want {
			t.Errorf("want %q, have %q", want, have)
		}
	}
}

func TestFormatNamesParse(t *testing.T) {
	for _, name := range service.FormatNames() {
		if _, err := service.ParseFormat(name); err != nil {
			t.Error(err)
		}
	}
}

type failing struct{ err error }

func (f failing) Daytime(context.Context) (string, error) { return "", f.err }

func TestLogging(t *testing.T) {
	var log bytes.Buffer
	mw := service.Logging(kitlog.NewLogfmtLogger(&log))

	reply, err := mw(service.New("a:1", service.Clock(epoch))).Daytime(t.Context())
	if want := "a:1: 1982-02-22 17:37:43.123456 -0800 PST"; reply != want || err != nil {
		t.Errorf("want %q unchanged, have %q, %v", want, reply, err)
	}
	want := `msg=daytime reply="a:1: 1982-02-22 17:37:43.123456 -0800 PST" err=null took=`
	if have := log.String(); !strings.HasPrefix(have, want) {
		t.Errorf("want %q, have %q", want, have)
	}

	log.Reset()
	boom := errors.New("boom")
	if _, err := mw(failing{boom}).Daytime(t.Context()); err != boom {
		t.Errorf("want %v unchanged, have %v", boom, err)
	}
	if want, have := "err=boom", log.String(); !strings.Contains(have, want) {
		t.Errorf("want %q in %q", want, have)
	}
}

func TestDaytimeAllocatesTheLineOnly(t *testing.T) {
	svc := service.New("127.0.0.1:8897")
	have := testing.AllocsPerRun(1000, func() { svc.Daytime(context.Background()) })
	if have > 1 {
		t.Errorf("want 1 allocation, have %v", have)
	}
}

func BenchmarkDaytime(b *testing.B) {
	svc := service.New("127.0.0.1:8897")
	b.ReportAllocs()
	for b.Loop() {
		svc.Daytime(context.Background())
	}
}
