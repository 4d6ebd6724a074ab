package admin

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The server as a listener: where it is taken nothing begins, and its end is a clean one.
func TestStart(t *testing.T) {
	s, url := startServer(t, View{})
	if _, err := Start(t.Context(), s.Addr().String(), Config{}); err == nil ||
		!strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(),
		s.Addr().String()) {
		t.Errorf("want the address that is taken named, have %v", err)
	}
	get := func() (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true},
			Timeout: 10 * time.Second}
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

// However many clients would keep their connections, as browsers do, /livez is answered.
func TestLivezBesideThoseWhoStay(t *testing.T) {
	_, url := startServer(t, View{})
	for range maxConns {
		client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
		defer client.CloseIdleConnections()
		r, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	const probe = 2 * time.Second // waits no longer
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: probe}
	r, err := client.Get(url + "livez")
	if err != nil {
		t.Fatal(err)
	}
	body(t, r, 200)
	r.Body.Close()
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
			defer s.Show(View{Listeners: listeners,
				Directories: []Directory{directory(newFleet(n))}})()
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
	_, hashes := sectionsOf(page)
	for id, hash := range hashes {
		list = append(list, id+":"+hash)
	}
	for b.Loop() {
		ask(s, "GET", "/sections?have="+strings.Join(list, ","))
	}
}
