package hosts_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"example.com/daytime/sd/zk/session/internal/hosts"
)

// A name with two addresses is two servers, each with its time for a handshake.
func Example() {
	lookup := func(_ context.Context, network, _ string) ([]netip.Addr, error) {
		if network == "ip6" {
			return nil, nil
		}
		return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, nil
	}
	ctx := context.Background()
	resolver := hosts.NewResolver(ctx, []string{"zk.example.com:2181"}, lookup)
	defer resolver.Wait()
	plan := hosts.NewPlan(resolver)
	first, _ := plan.Next(ctx, false)
	second, _ := plan.Next(ctx, false)
	fmt.Println(first.Host, plan.Size(), first != second)
	fmt.Println(plan.HandshakeTimeout(6*time.Second, true))
	// Output:
	// zk.example.com:2181 2 true
	// 1s
}
