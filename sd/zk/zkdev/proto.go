package zkdev

import "fmt"

// An Op is an operation code: the second number of every request. A request is a frame of the
// client's own number for it, the operation, and a record; a reply is a frame of that number, a
// zxid, a Code, and a record if the Code is OK. Requests and replies do not say how long their
// records are: both sides know from the operation.
type Op int32

// The operations that are served. OpReconfig, OpDeleteContainer and OpSASL are only refused, as a
// ZooKeeper refuses them by default.
const (
	OpCreate               Op = 1
	OpDelete               Op = 2
	OpExists               Op = 3
	OpGetData              Op = 4
	OpSetData              Op = 5
	OpGetACL               Op = 6
	OpSetACL               Op = 7
	OpGetChildren          Op = 8
	OpSync                 Op = 9
	OpPing                 Op = 11
	OpGetChildren2         Op = 12
	OpCheck                Op = 13
	OpMulti                Op = 14
	OpCreate2              Op = 15
	OpReconfig             Op = 16
	OpCheckWatches         Op = 17
	OpRemoveWatches        Op = 18
	OpCreateContainer      Op = 19
	OpDeleteContainer      Op = 20
	OpCreateTTL            Op = 21
	OpMultiRead            Op = 22
	OpAuth                 Op = 100
	OpSetWatches           Op = 101
	OpSASL                 Op = 102
	OpGetEphemerals        Op = 103
	OpGetAllChildrenNumber Op = 104
	OpSetWatches2          Op = 105
	OpAddWatch             Op = 106
	OpWhoAmI               Op = 107
	OpCloseSession         Op = -11
	OpConnect              Op = -10 // the handshake; it has no number on the wire
)

// opError marks a failed operation in the result of a multi, and the end of a multi in both
// directions.
const opError Op = -1

// A Code is the outcome of a request, as it stands in the reply's header. Every Code but [OK] is an
// error.
type Code int32

// The codes that this server sends, and some that a test may want it to send. Their names are those
// of KeeperException.Code: https://zookeeper.apache.org/doc/r3.8.4/apidocs/zookeeper-server/.
const (
	OK                      Code = 0
	SystemError             Code = -1
	RuntimeInconsistency    Code = -2
	MarshallingError        Code = -5
	Unimplemented           Code = -6
	BadArguments            Code = -8
	NoNode                  Code = -101
	NoAuth                  Code = -102
	BadVersion              Code = -103
	NoChildrenForEphemerals Code = -108
	NodeExists              Code = -110
	NotEmpty                Code = -111
	SessionExpired          Code = -112
	InvalidACL              Code = -114
	AuthFailed              Code = -115
	SessionMoved            Code = -118
	EphemeralOnLocalSession Code = -120
	NoWatcher               Code = -121
	ReconfigDisabled        Code = -123
	SASLRequired            Code = -124
	QuotaExceeded           Code = -125
	ThrottledOp             Code = -127
)

// Error gives the name and the number.
func (c Code) Error() string {
	name, known := map[Code]string{
		OK: "ok", SystemError: "system error", RuntimeInconsistency: "runtime inconsistency",
		MarshallingError: "marshalling error", Unimplemented: "unimplemented",
		BadArguments: "bad arguments", NoNode: "no node", NoAuth: "not authorised",
		BadVersion: "bad version", NoChildrenForEphemerals: "no children for ephemerals",
		NodeExists: "node exists", NotEmpty: "not empty", SessionExpired: "session expired",
		InvalidACL: "invalid ACL", AuthFailed: "authentication failed",
		SessionMoved: "session moved", EphemeralOnLocalSession: "ephemeral on a local session",
		NoWatcher: "no watcher", ReconfigDisabled: "reconfiguration is disabled",
		SASLRequired: "SASL required", QuotaExceeded: "quota exceeded",
		ThrottledOp: "throttled operation",
	}[c]
	if !known {
		name = "unknown code"
	}
	return fmt.Sprintf("zkdev: %s (%d)", name, int32(c))
}

// orNil turns a code into an ordinary error for callers in this process.
func (c Code) orNil() error {
	if c == OK {
		return nil
	}
	return c
}

// Two numbers of requests are not the client's own: a watch event answers no request, and a ping is
// always answered with the same number.
const (
	xidEvent int32 = -1
	xidPing  int32 = -2
)

// A Stat is the metadata of a znode. Zxids number the changes of the whole tree, times are
// milliseconds since 1970. Cversion rises by one for each child created or deleted. EphemeralOwner
// is the session that the znode dies with, or zero.
type Stat struct {
	Czxid, Mzxid                int64
	Ctime, Mtime                int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// stat writes the fields in the order of the struct, which is the protocol's.
func (e *encoder) stat(s Stat) {
	e.int64(s.Czxid)
	e.int64(s.Mzxid)
	e.int64(s.Ctime)
	e.int64(s.Mtime)
	e.int32(s.Version)
	e.int32(s.Cversion)
	e.int32(s.Aversion)
	e.int64(s.EphemeralOwner)
	e.int32(s.DataLength)
	e.int32(s.NumChildren)
	e.int64(s.Pzxid)
}

// A connectRequest opens a connection. A session of zero asks for a new session. Only newer clients
// send readOnly, and only they are sent it.
type connectRequest struct {
	lastZxid    int64
	timeout     int32 // milliseconds
	session     int64
	password    []byte
	hasReadOnly bool
}

// connectRequest is the one record without an operation before it: the first frame of a connection.
func (d *decoder) connectRequest() connectRequest {
	d.int32() // the protocol version, always zero
	r := connectRequest{
		lastZxid: d.int64(), timeout: d.int32(), session: d.int64(), password: d.buffer(),
	}
	r.hasReadOnly = d.err == nil && len(d.rest) > 0
	return r
}

// connectReply answers it. A session of zero tells the client that its session is gone.
func connectReply(timeout int32, session int64, password []byte, hasReadOnly bool) []byte {
	e := newFrame()
	e.int32(0)
	e.int32(timeout)
	e.int64(session)
	e.buffer(password)
	if hasReadOnly {
		e.bool(false)
	}
	return e.frame()
}

// replyHeader is how long the header of a reply is, the frame's length included.
const replyHeader = 4 + 4 + 8 + 4

// newReply leaves room for the header; seal fills it in.
func newReply() *encoder { return &encoder{b: make([]byte, replyHeader, 128)} }

// seal completes a reply. A reply with an error has no body.
func (e *encoder) seal(xid int32, zxid int64, code Code) []byte {
	body := e.b[replyHeader:]
	if code != OK {
		body = nil
	}
	head := &encoder{b: e.b[:4]}
	head.int32(xid)
	head.int64(zxid)
	head.int32(int32(code))
	head.b = append(head.b, body...)
	return head.frame()
}

// eventFrame is a watch event on the wire. It carries no zxid, and always the state "connected".
func eventFrame(ev event) []byte {
	const connected = 3
	e := newReply()
	e.int32(int32(ev.kind))
	e.int32(connected)
	e.string(ev.path)
	return e.seal(xidEvent, -1, OK)
}
