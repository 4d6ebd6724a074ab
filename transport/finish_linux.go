package transport

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendLast sends reply and FIN in one segment: MSG_MORE makes the kernel hold the reply back until
// the FIN joins it. A second segment would cost both sides as much as the reply itself. It returns
// how much of the reply the kernel took at once, which without an error may be less than all: then
// there is no FIN yet.
func sendLast(conn *net.TCPConn, reply []byte) (n int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	fail := raw.Control(func(fd uintptr) {
		const flags = syscall.MSG_MORE | syscall.MSG_NOSIGNAL | syscall.MSG_DONTWAIT
		n, err = syscall.SendmsgN(int(fd), reply, nil, nil, flags)
		switch {
		case err == syscall.EAGAIN:
			n, err = 0, nil
		case n == len(reply):
			err = syscall.Shutdown(int(fd), syscall.SHUT_WR)
		}
	})
	if fail != nil {
		return 0, fail
	}
	return n, err
}

// holdOff makes the kernel drop every SYN for l, so that its queue can be emptied for good. A
// client sends its SYN again after a second, and is refused if the listener is gone by then.
func holdOff(l net.Listener) {
	conn, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	// The filter sees the TCP header. It loads the byte of flags, and returns nothing of the packet
	// if SYN is set.
	const flags, syn = 13, 0x02
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 1, K: syn},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	raw.Control(func(fd uintptr) {
		// Without it a connection may still come between the last accept and the close.
		_ = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	})
}
