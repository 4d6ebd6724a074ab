package admin

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
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

// sectionsOf are the sections of a page, or of an answer to /sections, with their hashes.
func sectionsOf(text string) (ids []string, hashes map[string]string) {
	hashes = map[string]string{}
	section := regexp.MustCompile(`<section id="(\w+)" data-hash="([^"]+)"`)
	for _, m := range section.FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1])
		hashes[m[1]] = m[2]
	}
	return ids, hashes
}

// textOf is HTML without its tags.
func textOf(html string) string {
	html = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " ")
	return strings.Join(strings.Fields(html), " ")
}

// cells returns the text of the row that begins with a name, without tags.
func cells(page, section, name string) string {
	_, row, _ := strings.Cut(page, `<tr id="`+section+"-"+name+`"`)
	row, _, _ = strings.Cut(row, "</tr>")
	_, row, _ = strings.Cut(row, ">")
	return textOf(row)
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := newFleet(4)
		registry.SetPolicy(aPolicy())
		page := show(t, View{Listeners: listeners, Directories: []Directory{directory(registry)}})
		for name, want := range map[string]string{
			address(0): "192.0.2.1:8897 this process ● listed 100 80 eu-1a rack=0 version=2.0 " +
				"31 Dec 1999 3 min ago",
			address(1): "192.0.2.2:8897 this process ■ drained 100 100 eu-1b rack=1 version=2.1 " +
				"31 Dec 1999 4 min ago ops: rack 7 is moved, until 03:00:00 in 3 h",
			address(2): "192.0.2.3:8897 this process ■ withdrawn 100 100 eu-1c rack=2 " +
				"version=2.0 31 Dec 1999 7 min ago ann, without an end",
			address(3): "192.0.2.4:8897 ● listed 50 80 eu-1a rack=3 version=2.1 " +
				"31 Dec 1999 12 min ago",
		} {
			if have := cells(page, "fleet0", name); want != have {
				t.Errorf("want %s\nhave %s", want, have)
			}
		}
	})
}

// hostile is a view in which every text that a stranger may write is an attack.
func hostile() View {
	registry := mem.NewRegistry()
	registry.PutEntry(address(0), policy.Attributes{Zone: "<script>alert(0)</script>",
		Tags: map[string]string{"a": "<img/src=//evil.example/>", "b": strings.Repeat("x",
			10_000)}})
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
			return []lb.Stat{{Instance: "192.0.2.9:1", State: "ejected", Cause: "refused",
				Err: errors.New(evil)}}
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
		wantText(t, page, "!<img", "!<b>", "!\u202e", "!\x1b", `\u202e`,
			"&lt;script&gt;alert(2)&lt;/script&gt;",
			"&amp;amp;", "&lt;script&gt;alert(0)", "&lt;script&gt;alert(3)", "x…",
			"!"+strings.Repeat("x", 300),
			"Names that are no addresses are left out", "All servers are drained, so that drains "+
				"are ignored.")
		wantSelfContained(t, page)
	})
}

// wantSelfContained wants no reference but those to this process's own paths.
func wantSelfContained(t *testing.T, page string) {
	t.Helper()
	own := regexp.MustCompile(`^<a href="(livez|readyz|metrics|debug/pprof/)">$`)
	reference := regexp.MustCompile(
		`(?i)<[^>]*\s(src|href|srcset|action|data|poster|background)\s*=[^>]*>`)
	for _, m := range reference.FindAllString(page, -1) {
		if !own.MatchString(m) {
			t.Errorf("want no reference to anything else, have %s", m)
		}
	}
	active := regexp.MustCompile(
		`(?i)url\(|@import|<(link|base|iframe|object|embed|form)\b|\son\w+=|\sstyle=`)
	if m := active.FindString(page); m != "" {
		t.Errorf("want nothing that loads, runs or frames, have %s", m)
	}
}

func TestThePageIsSelfContained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t.Context(), ":9867", Config{Program: "daytimesvc"})
		defer s.Show(View{Listeners: listeners, Members: members,
			Directories: []Directory{directory(newFleet(3))}})()
		r := ask(s, "GET", "/")
		wantSelfContained(t, body(t, r, 200))
		have := r.Header.Get("Content-Security-Policy")
		want := regexp.MustCompile(`^default-src 'none'; base-uri 'none'; form-action 'none'; ` +
			`frame-ancestors 'none'; connect-src 'self'; img-src 'self'; ` +
			`style-src 'sha256-[^ ]{44}'; script-src 'sha256-[^ ]{44}'$`)
		if !want.MatchString(have) {
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
			Listeners: func() []Listener {
				return []Listener{{Instance: address(0),
					Addr: address(0), Open: open}}
			},
			Directories: []Directory{directory(registry)},
		})()
		page := body(t, ask(s, "GET", "/"), 200)
		_, have := sectionsOf(page)
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
			ids, hashes := sectionsOf(text)
			maps.Copy(have, hashes)
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
			t.Errorf("want the same page compressed, have %d bytes for %d, %v", len(text),
				len(plain), err)
		}
	})
}

// The lines of a policy that an operator should look at, and why.
func TestProblemsOfThePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := newFleet(4)
		registry.SetPolicy(aPolicy() + "withdraw 203.0.113.9\n" + strings.Repeat("nonsense\n", 60))
		page := show(t, View{Directories: []Directory{directory(registry)}})
		_, table, _ := strings.Cut(page, `<table class="problems">`)
		table, _, _ = strings.Cut(table, "</table>")
		table = textOf(table)
		for _, want := range []string{
			"5 ▲ matches nobody drain 203.0.113.7:8897 by=ops no instance matches this line",
			"6 ✕ wrong drain everything selector &#34;everything&#34;: want",
			"7 ✕ wrong weight 192.0.2.1 5000 ",
			"8 ○ expired drain 192.0.2.77 until=1999-12-31T23:00:00Z expired at ",
			"9 ○ nobody there withdraw 203.0.113.9 the servers that match it have withdrawn, or " +
				"are gone",
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
		wantText(t, page, "Fleet in "+a.Registry+"<", "Fleet in etcd://a/b<",
			`id="fleet1-`+address(1)+`"`,
			"ready. "+a.Registry+": live. Fleet there: 1 server. etcd://a/b: live. Fleet there: 2 "+
				"servers, 2 zones.")
	})
}

// Where all servers of a registry are drained, or of weight 0, another one may have some to pick.
func TestSuspendedPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained, weightless := newFleet(2), newFleet(1)
		drained.SetPolicy(policy.Header + "\ndrain *\n")
		weightless.SetPolicy(policy.Header + "\nweight * 0\n")
		a, b := directory(drained), directory(weightless)
		b.Registry = "etcd://a/b"
		wantText(t, show(t, View{Directories: []Directory{a}}),
			"All servers are drained, so that drains are ignored.")
		wantText(t, show(t, View{Directories: []Directory{b}}),
			"All weights are 0, so that weights are ignored.")
		spared := newFleet(2)
		spared.SetPolicy(policy.Header + "\nshare zone=none 50%\nshare * 0%\n")
		wantText(t, show(t, View{Directories: []Directory{directory(spared)}}), "share 0 %",
			"Servers with a share of 0 % are called, since nobody else is there.")
		wantText(t, show(t, View{Directories: []Directory{a, b}}),
			"All servers are drained, so that drains are ignored by who follows no other registry.",
			"All weights are 0, so that weights are ignored by who follows no other registry.")
	})
}
