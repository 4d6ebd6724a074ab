package zktest_test

import (
	"io"
	"net"
	"testing"

	"example.com/daytime/sd/zk/zktest"
	"example.com/daytime/transport/transporttest"
)

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		zktest.Start(b).Kill(b)
	}
}

func BenchmarkStartEnsemble(b *testing.B) {
	for b.Loop() {
		zktest.StartEnsemble(b, 3).Kill(b)
	}
}

func BenchmarkProxyRoundTrip(b *testing.B) {
	proxy := zktest.NewProxy(b, transporttest.Serve(b, echo))
	conn, err := net.Dial("tcp", proxy.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	message := make([]byte, 64)
	for b.Loop() {
		if _, err := conn.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			b.Fatal(err)
		}
	}
}
