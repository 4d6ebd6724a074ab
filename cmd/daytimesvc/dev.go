package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/sd"
	"example.com/daytime/sd/zk/zkdev"
)

// startDev starts the development registry, if it is asked for, at the address where the first
// target has a ZooKeeper.
func startDev(c config, logger kitlog.Logger) (io.Closer, error) {
	if !c.dev {
		return io.NopCloser(nil), nil
	}
	addr, err := devAddress(c.sd[0])
	if err != nil {
		return nil, err
	}
	dev, err := zkdev.Start(addr)
	if err != nil {
		return nil, fmt.Errorf("--dev: %w; to use a ZooKeeper that runs there, leave --dev out", err)
	}
	level.Warn(logger).Log("listen", addr,
		"msg", "ZooKeeper for development in this process: not for production, nothing is kept")
	return dev, nil
}

// devAddress is where a development registry for target is to listen: on this host only, since it
// asks nobody for a password, and at one address, since it is no ensemble.
func devAddress(target string) (string, error) {
	t, err := sd.ParseTarget(target)
	if err != nil { // of which the registries may know what is meant
		return "", cmp.Or(checkTargets(registry.URLs{target}), shell.UsageError("sd", err))
	}
	var host sd.Host // a file has none
	if len(t.Hosts) == 1 {
		host = t.Hosts[0]
	}
	ip, _ := netip.ParseAddr(host.Name)
	if t.Scheme != "zk" || len(t.Hosts) != 1 || host.Name != "localhost" && !ip.IsLoopback() {
		return "", shell.UsageError("sd", fmt.Errorf("%q: --dev wants one ZooKeeper on a loopback "+
			"address, such as zk://127.0.0.1:2181/go_servers", target))
	}
	if t.Keys["tls-ca"] != "" {
		err := fmt.Errorf("%q: the ZooKeeper of --dev speaks no TLS", target)
		return "", shell.UsageError("sd", err)
	}
	port := host.Port
	if port == 0 {
		port = 2181
	}
	return net.JoinHostPort(host.Name, strconv.Itoa(int(port))), nil
}
