package admin_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/daytime/cmd/internal/admin"
	"example.com/daytime/sd"
)

// A process that serves on one address, while its registry is down: it is ready all the same.
func Example() {
	ctx, withdraw := context.WithCancel(context.Background())
	defer withdraw()
	server, err := admin.Start(ctx, "127.0.0.1:0", admin.Config{Program: "daytimesvc"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	lost := sd.State{Phase: sd.Lost, Since: time.Now(), Err: fmt.Errorf("zk: no session")}
	defer server.Show(admin.View{Listeners: func() []admin.Listener {
		return []admin.Listener{{Instance: "192.0.2.10:8897", Addr: "192.0.2.10:8897",
			Registrations: []admin.Registration{{Registry: "zk://zk1/go_servers", State: lost}}}}
	}})()
	ask := func() {
		r, err := http.Get(fmt.Sprintf("http://%s/readyz", server.Addr()))
		if err != nil {
			fmt.Println(err)
			return
		}
		defer r.Body.Close()
		var status string
		text, err := io.ReadAll(r.Body)
		fmt.Sscan(string(text), &status)
		fmt.Println(r.StatusCode, status, err)
	}
	ask()
	server.SetServing()
	ask()
	withdraw()
	ask()
	// Output:
	// 503 starting <nil>
	// 200 ready <nil>
	// 503 withdrawing <nil>
}
