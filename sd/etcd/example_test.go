package etcd_test

import (
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd"
)

// Opening a directory waits for nothing, so that a program starts whatever the cluster does; a
// target that is wrong is told at once.
func Example() {
	schemes := sd.Schemes{"etcd": etcd.Open}
	backend, err := schemes.Open("etcd://127.0.0.1:2379,127.0.0.1:2381/go_servers?ttl=5s")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(backend.Close())
	_, err = schemes.Open("etcd://127.0.0.1:2379/go_servers?ttl=5")
	fmt.Println(err)
	// Output:
	// <nil>
	// target etcd://127.0.0.1:2379/go_servers: ttl "5": want whole seconds from 1s to 1h0m0s, such as 10s; want etcd://host[:port][,host[:port]...][/prefix][?ttl=10s][&policy=on|off][&tls-ca=FILE[&tls-cert=FILE&tls-key=FILE]][&auth-file=FILE]
}
