package snapshot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"example.com/daytime/sd/internal/snapshot"
	"example.com/daytime/sd/policy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A file is of one registry.
func Example() {
	dir, err := os.MkdirTemp("", "snapshot")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "list.json")

	prod := &snapshot.Origin{Scheme: "zk", Path: "/prod", Hosts: []string{"a:2181", "b:2181"}}
	doc := snapshot.New(time.Now(), prod, []policy.Entry{{Instance: "192.0.2.1:8897"}})
	fmt.Println(snapshot.Check(file), snapshot.Write(file, doc))

	same := &snapshot.Origin{Scheme: "zk", Path: "/prod", Hosts: []string{"B:2181"}}
	doc, err = snapshot.Read(file, same)
	fmt.Println(doc.Instances, err)
	staging := &snapshot.Origin{Scheme: "zk", Path: "/staging", Hosts: []string{"a:2181"}}
	_, err = snapshot.Read(file, staging)
	fmt.Println(err != nil)
	// Output:
	// <nil> <nil>
	// [192.0.2.1:8897] <nil>
	// true
}

// What is in a file is not trusted.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"version":1,"written":"2026-01-02T03:04:05Z","instances":["192.0.2.1:8897"]}`))
	f.Add([]byte(`{"version":1,"registry":{"scheme":"zk","hosts":["[::1]:1"]},"attributes":{"a":{"weight":5}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "list.json")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		ours := &snapshot.Origin{Scheme: "zk", Hosts: []string{"a"}}
		doc, err := snapshot.Read(file, ours)
		if err != nil {
			return
		}
		if err := snapshot.Write(file, doc); err != nil {
			t.Errorf("%q: want it written again, have %v", data, err)
		}
		if again, err := snapshot.Read(file, ours); err != nil ||
			len(again.Instances) != len(doc.Instances) {
			t.Errorf("%q: want the same again, have %+v, %v", data, again, err)
		}
	})
}
