package host

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listening reads who listens on which address of this host, from /proc/net/tcp and the descriptors
// of the processes that this user may look at (proc(5)). A socket that was handed over, by systemd
// for instance, is one of several processes.
func Listening() Listeners {
	sockets := map[string]netip.AddrPort{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if addr, inode, ok := parseSocket(line); ok {
				sockets[inode] = addr
			}
		}
	}
	holders := map[string][]int{}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*") // its pattern is right
	for _, link := range links {
		target, err := os.Readlink(link)
		inode, isSocket := strings.CutPrefix(target, "socket:[")
		if err != nil || !isSocket {
			continue
		}
		inode = strings.TrimSuffix(inode, "]")
		_, known := sockets[inode]
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if known && err == nil && !slices.Contains(holders[inode], pid) {
			holders[inode] = append(holders[inode], pid)
		}
	}
	found := Listeners{}
	for inode, pids := range holders {
		found[sockets[inode]] = append(found[sockets[inode]], pids)
	}
	return found
}

// parseSocket reads a line of /proc/net/tcp or tcp6 about a socket that listens.
func parseSocket(line string) (addr netip.AddrPort, inode string, ok bool) {
	const local, state, inodeAt, listen = 1, 3, 9, "0A"
	fields := strings.Fields(line)
	if len(fields) <= inodeAt || fields[state] != listen {
		return addr, "", false
	}
	host, port, _ := strings.Cut(fields[local], ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return addr, "", false
	}
	for i := 0; i < len(raw); i += 4 { // words in the byte order of the host
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, valid := netip.AddrFromSlice(raw)
	p, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(ip, uint16(p)), fields[inodeAt], valid && err == nil
}

// IsProcess reports whether a process of this host is the one that calls itself by a number, which
// in a container is another one than here.
func IsProcess(pid, said int) bool {
	if pid == said {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true // it cannot be told
	}
	return slices.Contains(numbers(string(text)), strconv.Itoa(said))
}

// InContainer reports whether a process in a PID namespace below this one calls itself by a number.
// Its network may be another one, into which a process of this host passes connections on.
func InContainer(said int) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/status") // its pattern is right
	return slices.ContainsFunc(files, func(file string) bool {
		text, _ := os.ReadFile(file) // of a process that has ended there is none
		all := numbers(string(text))
		return len(all) > 1 && all[len(all)-1] == strconv.Itoa(said)
	})
}

// numbers are those of a process by its status: the one here, and then one in each PID namespace
// below this one that it is in.
func numbers(status string) []string {
	for line := range strings.Lines(status) {
		if all, found := strings.CutPrefix(line, "NSpid:"); found {
			return strings.Fields(all)
		}
	}
	return nil
}
