package wire

import "fmt"

// Operations of the protocol (ZooDefs.OpCode in ZooKeeper's source).
const (
	OpMultiRead = 22
	OpAddWatch  = 106

	opCloseSession = -11
	opError        = -1 // in the results of a multi
	opCreate       = 1
	opDelete       = 2
	opExists       = 3
	opGetData      = 4
	opSetData      = 5
	opGetACL       = 6
	opSync         = 9
	opGetChildren2 = 12
	opCheck        = 13
	opMulti        = 14
	opAuth         = 100
)

// Numbers in place of a request's own xid.
const (
	pingXid = -2
	authXid = -4
)

// CodeNeedsSASL is an error code, after which the server closes the connection. Of all codes it is
// the one that a connection is given up for.
const CodeNeedsSASL = -124

// A Code is an error code of the protocol (KeeperException.Code in ZooKeeper's source).
type Code int32

// Error implements error.
func (c Code) Error() string { return fmt.Sprintf("error code %d", int32(c)) }
