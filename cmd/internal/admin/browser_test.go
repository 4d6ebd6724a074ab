package admin

import (
	"errors"
	"fmt"
	"testing"
	"time"

	kitlog "github.com/go-kit/log"

	"example.com/daytime/sd/policy"
)

// startServer returns a server of a view that serves, and the URL of its page.
func startServer(t testing.TB, view View) (s *Server, url string) {
	t.Helper()
	s, err := Start(t.Context(), "127.0.0.1:0", Config{Program: "daytimesvc", Version: "v2.1.0",
		Logger: kitlog.NewNopLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Show(view)
	s.SetServing()
	return s, "http://" + s.Addr().String() + "/"
}

// The page in a real browser.
func TestBrowser(t *testing.T) {
	b := chromium(t)
	for name, test := range map[string]func(*testing.T, *browser){
		"looks": testLooks, "updates": testUpdates, "without JavaScript": testNoScript,
		"strangers": testStrangers, "a restart": testRestart,
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			test(t, b)
		})
	}
}

// The page is whole, fits its window, can be read in both colours, and is there soon.
func testLooks(t *testing.T, b *browser) {
	small, large := newFleet(3), newFleet(1000)
	for _, registry := range []interface{ SetPolicy(string) }{small, large} {
		registry.SetPolicy(aPolicy())
	}
	for name, view := range map[string]View{
		"3":      {Listeners: listeners, Directories: []Directory{directory(small)}},
		"1000":   {Listeners: listeners, Directories: []Directory{directory(large)}},
		"client": {Members: members, Directories: []Directory{directory(small)}},
	} {
		_, url := startServer(t, view)
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int{1280, 800, 390} {
				p := b.open(width, 1700, scheme, true)
				took, busy := p.load(url)
				for tries := 0; busy > time.Second && tries < 3; tries++ {
					took, busy = p.load(url) // again, where others slow down the machine
				}
				t.Logf("%s servers, %s, %d wide: loaded in %v, of which the page computed for %v",
					name, scheme, width, took.Round(time.Millisecond), busy.Round(time.Millisecond))
				if busy > time.Second {
					t.Errorf("want %s servers within a second, have %v", name, busy)
				}
				if name == "1000" {
					p.want("document.querySelectorAll('#fleet0 tr[id]').length === 1000")
				} else {
					p.want("document.querySelectorAll('#fleet0 tr[id]').length === 3")
				}
				p.want("document.documentElement.scrollWidth <= innerWidth")
				p.want("[...document.querySelectorAll('table')].every(t => t.caption)")
				p.want("[...document.querySelectorAll('th')].every(h => h.scope)")
				p.want("[...document.querySelectorAll('section')].every(s => " +
					"document.getElementById(s.getAttribute('aria-labelledby')).textContent)")
				if have := p.eval(contrast); have != "" {
					t.Errorf("%s: want a contrast of 4.5 for every text, have %v", scheme, have)
				}
				p.screenshot(fmt.Sprintf("%s-%s-%d", name, scheme, width))
				p.done(url)
			}
		}
	}
}

// contrast is the first text whose contrast with what is behind it is below 4.5 (WCAG 2.2, 1.4.3).
const contrast = `(() => {
	const channels = color => color.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => [r, g, b].map(c => c / 255)
		.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = channels(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] > 0) return c;
		}
		return [255, 255, 255];
	};
	for (const e of [...document.body.querySelectorAll('*')].slice(0, 2000)) {
		const texts = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
		if (texts.length === 0 || !e.checkVisibility()) continue;
		const [a, b] = [luminance(channels(getComputedStyle(e).color)), luminance(behind(e))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) return e.textContent + ': ' + ratio;
	}
	return '';
})()`

// The page follows what happens, and leaves the rest alone: no node is another, nothing scrolls,
// and what its reader has filtered stays so.
func testUpdates(t *testing.T, b *browser) {
	registry := newFleet(40)
	s, url := startServer(t, View{Listeners: listeners,
		Directories: []Directory{directory(registry)}})
	p := b.open(1280, 600, "light", true)
	p.load(url)
	p.wantTables()
	row := func(n int) string {
		return fmt.Sprintf("document.getElementById('fleet0-%s')", address(n))
	}
	p.eval("scrollTo(0, 700); window.before = scrollY; window.kept = " + row(20) + "; " +
		"getSelection().selectAllChildren(window.kept.firstChild)")
	p.want("before > 100")
	registry.Put("192.0.2.99:1")
	registry.Expire(address(39))
	registry.SetPolicy(policy.Header + "\ndrain " + address(20) + " by=ops\n")
	p.eventually("document.getElementById('fleet0-192.0.2.99:1') !== null && " + row(39) +
		" === null")
	p.eventually(row(20) + ".textContent.includes('drained')")
	p.want(row(20) + " === window.kept && scrollY === window.before")
	p.want("getSelection().toString() === '" + address(20) + "'")
	p.want("document.querySelector('#status').textContent.includes('1 drained')")
	p.eventually("document.getElementById('live').textContent.startsWith('Live · ')")

	shown := "[...document.querySelectorAll('#fleet0 tr[id]')].filter(r => " +
		"r.checkVisibility()).length"
	p.want("!document.getElementById('search').hidden")
	p.eval("(f => { f.value = 'drained OPS'; f.dispatchEvent(new Event('input')) " +
		"})(document.querySelector('input'))")
	p.want(shown + " === 1 && document.querySelector('output').textContent === '1 of 43 rows'")
	registry.SetPolicy(policy.Header + "\ndrain " + address(20) + " by=ops\ndrain " + address(21) +
		" by=ops\n")
	p.eventually(shown + " === 2")

	registry.Fail(errors.New("no quorum"))
	p.eventually("document.querySelector('#fleet0').textContent.includes('This is the last list: " +
		"mem: watch: no quorum')")
	s.SetWithdrawing()
	p.eventually("document.title.startsWith('withdrawing · daytimesvc')")
	p.done(url)

	s.Close()
	p.eventually("document.getElementById('trouble').textContent" +
		".startsWith('This process has not answered since ')")
	p.want("document.getElementById('live').textContent === 'Not live' && " + shown + " === 2")
}

// Without JavaScript the fleet is in the page all the same, and the page reloads.
func testNoScript(t *testing.T, b *browser) {
	registry := newFleet(3)
	_, url := startServer(t, View{Listeners: listeners,
		Directories: []Directory{directory(registry)}})
	p := b.open(390, 900, "dark", false)
	p.load(url)
	p.want("document.querySelectorAll('#fleet0 tr[id]').length === 3")
	p.want("!document.querySelector('search').checkVisibility()")
	p.want("document.getElementById('live').innerText.startsWith('Reloads every 5 s. As of ')")
	p.screenshot("noscript")
	registry.Put("192.0.2.99:1")
	p.eventually("document.querySelectorAll('#fleet0 tr[id]').length === 4")
	p.done(url)
}

// What strangers write does nothing.
func testStrangers(t *testing.T, b *browser) {
	_, url := startServer(t, hostile())
	for _, width := range []int{1280, 390} {
		p := b.open(width, 1200, "light", true)
		p.load(url)
		p.want("document.scripts.length === 1 && document.images.length === 0 && " +
			"[...document.links].every(a => a.closest('footer'))")
		p.want("document.documentElement.scrollWidth <= innerWidth")
		// all are sent again
		p.eval("document.querySelectorAll('section').forEach(s => s.dataset.hash = '')")
		p.eventually("[...document.querySelectorAll('section')].every(s => s.dataset.hash)")
		p.want("document.scripts.length === 1 && document.images.length === 0")
		p.screenshot(fmt.Sprintf("strangers-%d", width))
		p.done(url)
	}
}

// A page that meets another version of the program loads itself again.
func testRestart(t *testing.T, b *browser) {
	s, url := startServer(t, View{Listeners: listeners})
	p := b.open(1280, 900, "light", true)
	p.load(url)
	addr := s.Addr().String()
	s.Close()
	next := newServer(t.Context(), addr, Config{Program: "daytimesvc of another version"})
	next.page.version = "another"
	next.listen(t.Context(), addr)
	t.Cleanup(next.Close)
	p.eventually("document.querySelector('h1')?.textContent.startsWith('daytimesvc of another " +
		"version')")
}
