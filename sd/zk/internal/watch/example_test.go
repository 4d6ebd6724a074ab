package watch_test

import (
	"context"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/internal/watch"
	"example.com/daytime/sd/zk/session"
	"example.com/daytime/sd/zk/zkdev"
)

func Example() {
	server := zkdev.New()
	defer server.Close()
	_ = server.Create("/go_servers", nil, 0)
	s, err := session.New(session.Config{Hosts: []string{"192.0.2.1:2181"}, Dial: server.Dial})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	d := watch.New(s, watch.Config{Parent: "/go_servers", Mode: watch.Auto})
	s.Start(d.Event)

	ctx, stop := context.WithCancel(context.Background())
	err = d.Watch(ctx, sd.Want{}, func(c sd.Change) {
		fmt.Println(c.Reset, c.Up)
		if c.Reset {
			_ = server.Create("/go_servers/192.0.2.10:8897", nil, 0)
		} else {
			stop()
		}
	})
	fmt.Println(err)
	// Output:
	// true []
	// false [192.0.2.10:8897]
	// context canceled
}
