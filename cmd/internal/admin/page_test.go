package admin

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/daytime/sd"
	"example.com/daytime/sd/lb"
	"example.com/daytime/sd/mem"
	"example.com/daytime/sd/policy"
)

// show is the page of a view.
func show(t *testing.T, v View) string {
	t.Helper()
	s := newServer(t.Context(), ":9867", Config{Program: "daytimesvc", Version: "v2.1.0"})
	defer s.Show(v)()
	s.SetServing()
	return body(t, ask(s, "GET", "/"), 200)
}

// cells returns the text of the row that begins with a name, without tags.
func cells(page, section, name string) string {
	_, row, _ := strings.Cut(page, `<tr id="`+section+"-"+name+`"`)
	row, _, _ = strings.Cut(row, "</tr>")
	_, row, _ = strings.Cut(row, ">")
	row = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(row, " ")
	return strings.Join(strings.Fields(row), " ")
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := newFleet(4)
		registry.SetPolicy(aPolicy())
		page := show(t, View{Listeners: listeners, Directories: []Directory{directory(registry)}})
		for name, want := range map[string]string{
			address(0): "192.0.2.1:8897 this process ● listed 100 80 eu-1a rack=0 version=2.0 23:57:00 3 min ago",
			address(1): "192.0.2.2:8897 this process ■ drained 100 100 eu-1b rack=1 version=2.1 " +
				"23:56:00 4 min ago ops: rack 7 is moved, until 03:00:00 in 3 h",
			address(2): "192.0.2.3:8897 this process ■ withdrawn 100 100 eu-1c rack=2 version=2.0 " +
				"23:53:00 7 min ago ann, without an end",
			address(3): "192.0.2.4:8897 ● listed 50 80 eu-1a rack=3 version=2.1 23:48:00 12 min ago",
		} {
			want = strings.ReplaceAll(want, " 23:", " 31 Dec 1999 23:")
			want = regexp.MustCompile(`31 Dec 1999 23:\d\d:\d\d`).ReplaceAllString(want, "31 Dec 1999")
			if have := cells(page, "fleet0", name); want != have {
				t.Errorf("want %s\nhave %s", want, have)
			}
		}
	})
}

func TestServersOfThisProcess(t *testing.T) {
	page := show(t, View{Listeners: func() []Listener {
		l := listeners()
		l[0].Registrations = append(l[0].Registrations,
			Registration{"etcd://a/b", sd.State{Phase: sd.Conflict, Since: time.Now(), Err: errors.New("taken")}})
		return append(l, Listener{Instance: "192.0.2.9:1", Addr: "192.0.2.9:1"})
	}})
	const zk = "zk://zk1.example.com,zk2.example.com/go_servers"
	for id, want := range map[string]string{
		address(0) + "-" + zk:      "192.0.2.1:8897 ● registered * 3 h ago " + zk + " 2 48,201",
		address(0) + "-etcd://a/b": "192.0.2.1:8897 ✕ conflict * 0 s ago etcd://a/b taken",
		address(2) + "-" + zk:      "192.0.2.3:8897 listens on [::]:8897 ■ withheld * 26 h ago " + zk + " withdrawn by line 3 of the policy 0 7",
		"192.0.2.9:1-":             "192.0.2.9:1 ○ nowhere 0 0",
	} {
		have := regexp.MustCompile(`(\d+:\d\d:\d\d|\d+ \w+ (\d\d:\d\d|\d{4}))`).ReplaceAllString(cells(page, "servers", id), "*")
		if want != have {
			t.Errorf("want %s\nhave %s", want, have)
		}
	}
	wantText(t, page, "<title>ready · daytimesvc", ">1 of 5<")
}

func TestPool(t *testing.T) {
	page := show(t, View{Members: members})
	for name, want := range map[string]string{
		address(0): "192.0.2.1:8897 ● ready 3 4,012 2 0 1.34 ms 88 ms",
		address(1): "192.0.2.2:8897 ✕ ejected * in 1* s refused: dial tcp 192.0.2.2:8897: connect: connection refused 0 12 9 4",
		address(2): "192.0.2.3:8897 ■ drained 0 377 0 0 900 µs 1.00 ms",
		address(3): "192.0.2.4:8897 ◐ in reserve * in 3* s 0 90 0 0 2.00 ms 3.00 ms",
		address(4): "192.0.2.5:8897 ◔ slow start * in 5 s 0 0 0 0",
		address(5): "192.0.2.6:8897 ▲ failing 0 5 1 0 1.00 s 2.20 s",
		address(6): "192.0.2.7:8897 ○ pending 0 0 0 0",
		address(7): "",
	} {
		have := cells(page, "pool", name)
		have = regexp.MustCompile(`\d\d:\d\d:\d\d`).ReplaceAllString(have, "*")
		have = regexp.MustCompile(`in ([13])\d s`).ReplaceAllString(have, "in $1* s")
		if want != have {
			t.Errorf("want %s\nhave %s", want, have)
		}
	}
	wantText(t, page, "2 of 7 ready", "1 more left")
	wantText(t, show(t, View{Members: func() []lb.Stat { return nil }}), "nobody to ask", "Nobody is in the pool.")
	wantText(t, show(t, View{Members: func() []lb.Stat { return members()[1:3] }}), "nobody is ready")
}

// hostile is a view in which every text that a stranger may write is an attack.
func hostile() View {
	registry := mem.NewRegistry()
	registry.PutEntry(address(0), policy.Attributes{Zone: "<script>alert(0)</script>",
		Tags: map[string]string{"a": "<img/src=//evil.example/>", "b": strings.Repeat("x", 10_000)}})
	registry.Put(`"><script src="//evil.example"></script>`)
	registry.Put("javascript:alert(1)\x1b[2J")
	registry.SetPolicy(policy.Header +
		"\ndrain * by=<b>ops</b> reason=\"</td><script>alert(2)</script> &amp;\"\n" +
		"drain <script>alert(3)</script>\n")
	return View{
		Listeners: func() []Listener {
			return []Listener{{"192.0.2.9:1", evil, 0, 0, []Registration{{evil,
				sd.State{Phase: sd.Lost, Since: time.Now(), Err: errors.New(evil)}}}}}
		},
		Members: func() []lb.Stat {
			return []lb.Stat{{Instance: "192.0.2.9:1", State: "ejected", Cause: "refused", Err: errors.New(evil)}}
		},
		Directories: []Directory{directory(registry)},
	}
}

// What comes from a registry is a stranger's: it stays text, and is not too long.
func TestWhatStrangersWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		page := show(t, hostile())
		if want, have := 1, strings.Count(page, "<script"); want != have {
			t.Errorf("want the page's own script alone, have %d", have)
		}
		wantText(t, page, "!<img", "!<b>", "!\u202e", "!\x1b", `\u202e`, "&lt;script&gt;alert(2)&lt;/script&gt;",
			"&amp;amp;", "&lt;script&gt;alert(0)", "&lt;script&gt;alert(3)", "x…", "!"+strings.Repeat("x", 300),
			"Names that are no addresses are left out", "All servers are drained, so that drains are ignored.")
		wantSelfContained(t, page)
	})
}

// wantSelfContained wants no reference but those to this process's own paths.
func wantSelfContained(t *testing.T, page string) {
	t.Helper()
	own := regexp.MustCompile(`^<a href="(livez|readyz|metrics|debug/pprof/)">$`)
	for _, m := range regexp.MustCompile(`(?i)<[^>]*\s(src|href|srcset|action|data|poster|background)\s*=[^>]*>`).FindAllString(page, -1) {
		if !own.MatchString(m) {
			t.Errorf("want no reference to anything else, have %s", m)
		}
	}
	if m := regexp.MustCompile(`(?i)url\(|@import|<(link|base|iframe|object|embed|form)\b|\son\w+=|\sstyle=`).FindString(page); m != "" {
		t.Errorf("want nothing that loads, runs or frames, have %s", m)
	}
}

func TestThePageIsSelfContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t.Context(), ":9867", Config{Program: "daytimesvc"})
		defer s.Show(View{Listeners: listeners, Members: members, Directories: []Directory{directory(newFleet(3))}})()
		r := ask(s, "GET", "/")
		wantSelfContained(t, body(t, r, 200))
		have := r.Header.Get("Content-Security-Policy")
		if !regexp.MustCompile(`^default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ` +
			`connect-src 'self'; img-src 'self'; style-src 'sha256-[^ ]{44}'; script-src 'sha256-[^ ]{44}'$`).MatchString(have) {
			t.Errorf("have the policy %s", have)
		}
	})
}

// Only what has changed is sent again.
func TestSections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := newFleet(3)
		open := 1
		s := newServer(t.Context(), ":9867", Config{Program: "daytimesvc"})
		defer s.Show(View{
			Listeners:   func() []Listener { return []Listener{{Instance: address(0), Addr: address(0), Open: open}} },
			Directories: []Directory{directory(registry)},
		})()
		page := body(t, ask(s, "GET", "/"), 200)
		have := map[string]string{}
		for _, m := range regexp.MustCompile(`<section id="(\w+)" data-hash="([^"]+)"`).FindAllStringSubmatch(page, -1) {
			have[m[1]] = m[2]
		}
		changed := func(want ...string) string {
			t.Helper()
			synctest.Wait()
			var list []string
			for id, hash := range have {
				list = append(list, id+":"+hash)
			}
			r := ask(s, "GET", "/sections?have="+strings.Join(list, ","))
			if want, have := "status,servers,fleet0", r.Header.Get("Page-Sections"); want != have {
				t.Errorf("want the sections %s, have %s", want, have)
			}
			text := body(t, r, 200)
			var ids []string
			for _, m := range regexp.MustCompile(`<section id="(\w+)" data-hash="([^"]+)"`).FindAllStringSubmatch(text, -1) {
				ids = append(ids, m[1])
				have[m[1]] = m[2]
			}
			if fmt.Sprint(want) != fmt.Sprint(ids) {
				t.Errorf("want %v changed, have %v", want, ids)
			}
			return text
		}
		changed()
		time.Sleep(59 * time.Second) // "59 s ago" is no news
		changed()
		open = 2
		changed("servers")
		registry.Put("192.0.2.200:1")
		time.Sleep(time.Second)
		wantText(t, changed("status", "fleet0"), "192.0.2.200:1", "4 servers")
		s.SetServing()
		changed("status")
		registry.SetPolicy(policy.Header + "\nweight * 7\n")
		time.Sleep(time.Second)
		changed("fleet0")
		have["fleet0"] = "another"
		changed("fleet0")
		body(t, ask(s, "GET", "/sections?have=%00,::,fleet0"), 200)
	})
}

func TestCompression(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t.Context(), ":9867", Config{Program: "daytimesvc"})
		defer s.Show(View{Directories: []Directory{directory(newFleet(100))}})()
		plain := body(t, ask(s, "GET", "/"), 200)
		r := ask(s, "GET", "/", header("Accept-Encoding", "gzip, br"))
		if r.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("have %v", r.Header)
		}
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil || string(text) != plain {
			t.Errorf("want the same page compressed, have %d bytes for %d, %v", len(text), len(plain), err)
		}
	})
}

// Times, counts and latencies as a person reads them.
func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 28, 6, 30, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "06:30:00 0 s ago", 59 * time.Second: "06:29:01 59 s ago", time.Minute: "06:29:00 1 min ago",
		6 * time.Hour: "00:30:00 6 h ago", 7 * time.Hour: "27 Nov 23:30 7 h ago", 48 * time.Hour: "26 Nov 06:30 2 d ago",
		-90 * time.Minute: "08:00:00 in 1 h", 366 * 24 * time.Hour: "27 Nov 2025 366 d ago", -time.Second: "06:30:01 in 1 s",
	} {
		then := now.Add(-d).In(time.FixedZone("here", 3600))
		if have := clock(then, now) + " " + ago(then, now); want != have {
			t.Errorf("%v: want %s, have %s", d, want, have)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if have := count(n); want != have {
			t.Errorf("want %s, have %s", want, have)
		}
	}
	for d, want := range map[time.Duration]string{0: "", 900: "0 µs", 1500 * time.Microsecond: "1.50 ms",
		88 * time.Millisecond: "88 ms", 1200 * time.Millisecond: "1.20 s"} {
		if have := brief(d); want != have {
			t.Errorf("%v: want %q, have %q", d, want, have)
		}
	}
	if !(compareInstances("192.0.2.9:1", "192.0.2.10:1") < 0 && compareInstances("x", "y") < 0) {
		t.Error("want addresses in the order of their numbers")
	}
}

// The server as a listener: where it is taken nothing begins, and its end is a clean one.
func TestStart(t *testing.T) {
	s, url := startServer(t, View{})
	if _, err := Start(t.Context(), s.Addr().String(), Config{}); err == nil ||
		!strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), s.Addr().String()) {
		t.Errorf("want the address that is taken named, have %v", err)
	}
	get := func() (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		return client.Get(url + "livez")
	}
	r, err := get()
	if err != nil {
		t.Fatal(err)
	}
	body(t, r, 200)
	r.Body.Close()
	s.Close()
	s.Close()
	if _, err := get(); err == nil {
		t.Error("want nobody there after the end")
	}
	var none *Server
	none.SetServing()
	none.SetWithdrawing()
	none.Show(View{})()
	none.Close()
	if none.Addr() != nil {
		t.Error("want no address of no server")
	}
}

// A profile that takes its time does not hold up the end.
func TestTheEndOfAProfile(t *testing.T) {
	s, url := startServer(t, View{})
	ended := make(chan error, 1)
	go func() {
		r, err := http.Get(url + "debug/pprof/trace?seconds=20")
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond)
	begun := time.Now()
	s.Close()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("want the end within a second, have %v", took)
	}
	<-ended
}

func BenchmarkPage(b *testing.B) {
	for _, n := range []int{3, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newServer(b.Context(), ":9867", Config{Program: "daytimesvc"})
			defer s.Show(View{Listeners: listeners, Directories: []Directory{directory(newFleet(n))}})()
			ask(s, "GET", "/")
			for b.Loop() {
				b.SetBytes(int64(len(body(b, ask(s, "GET", "/"), 200))))
			}
		})
	}
}

func BenchmarkSections(b *testing.B) {
	s := newServer(b.Context(), ":9867", Config{Program: "daytimesvc"})
	defer s.Show(View{Listeners: listeners, Directories: []Directory{directory(newFleet(1000))}})()
	page := body(b, ask(s, "GET", "/"), 200)
	var list []string
	for _, m := range regexp.MustCompile(`<section id="(\w+)" data-hash="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		list = append(list, m[1]+":"+m[2])
	}
	for b.Loop() {
		ask(s, "GET", "/sections?have="+strings.Join(list, ","))
	}
}

// The lines of a policy that an operator should look at, and why.
func TestProblemsOfThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := newFleet(4)
		registry.SetPolicy(aPolicy() + "withdraw 203.0.113.9\n" + strings.Repeat("nonsense\n", 60))
		page := show(t, View{Directories: []Directory{directory(registry)}})
		_, table, _ := strings.Cut(page, `<table class="problems">`)
		table, _, _ = strings.Cut(table, "</table>")
		table = strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(table, " ")), " ")
		for _, want := range []string{
			"5 ▲ matches nobody drain 203.0.113.7:8897 by=ops no instance matches this line",
			"6 ✕ wrong drain everything selector &#34;everything&#34;: want",
			"7 ✕ wrong weight 192.0.2.1 5000 ",
			"8 ○ expired drain 192.0.2.77 until=1999-12-31T23:00:00Z expired at ",
			"9 ○ nobody there withdraw 203.0.113.9 the servers that match it have withdrawn, or are gone",
			"10 ✕ wrong nonsense ",
		} {
			wantText(t, table, want)
		}
		wantText(t, page, "15 more are not shown.")
	})
}

// Several registries have a section each, and several registrations of a server a row each.
func TestSeveralRegistries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := directory(newFleet(1)), directory(newFleet(2))
		b.Registry = "etcd://a/b"
		page := show(t, View{Directories: []Directory{a, b}})
		wantText(t, page, "Fleet in "+a.Registry+"<", "Fleet in etcd://a/b<", `id="fleet1-`+address(1)+`"`,
			"ready. "+a.Registry+": live. Fleet there: 1 server. etcd://a/b: live. Fleet there: 2 servers, 2 zones.")
	})
}
