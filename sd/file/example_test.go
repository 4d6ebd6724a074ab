package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"example.com/daytime/sd"
	"example.com/daytime/sd/file"
)

// A list is read, and read again when another one is renamed into its place.
func Example() {
	directory, err := os.MkdirTemp("", "servers")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(directory)
	list := filepath.Join(directory, "servers")
	replace := func(text string) error {
		if err := os.WriteFile(list+".new", []byte(text), 0o600); err != nil {
			return err
		}
		return os.Rename(list+".new", list)
	}
	if err := replace("192.0.2.1:8897 weight=50 zone=eu-1a\n"); err != nil {
		fmt.Println(err)
		return
	}

	backend, err := file.Open(sd.Target{Scheme: "file", Path: list})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = backend.Watch(ctx, sd.Want{}, func(c sd.Change) {
		fmt.Println("up", c.Up, "down", c.Down)
		if !c.Reset {
			cancel()
		} else if err := replace("192.0.2.2:8897\n"); err != nil {
			fmt.Println(err)
		}
	})
	fmt.Println(err)
	// Output:
	// up [192.0.2.1:8897] down []
	// up [192.0.2.2:8897] down [192.0.2.1:8897]
	// context canceled
}
