//go:build unix

package transporttest_test

import (
	"errors"
	"net"
	"testing"

	"example.com/daytime/transport/transporttest"
)

func TestFullDoesNotAnswer(t *testing.T) {
	var timeout net.Error
	if _, err := ask(transporttest.Full(t)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("want a connect that hangs, have %v", err)
	}
}
