//go:build !unix

package main

import "net"

// listens is not asked where nobody hands over sockets.
func listens(*net.TCPListener) bool { return true }
