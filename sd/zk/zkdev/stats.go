package zkdev

import (
	"fmt"
	"strings"
	"time"
)

// counters are sums since the server was made.
type counters struct {
	dials          int
	received, sent int // frames, four letter words included
	requests       map[Op]int
}

// connStats is what the word cons tells about a connection. No latencies are kept.
type connStats struct {
	received, sent int // frames
	lastOp         Op
	lastXid        int32
	lastZxid       int64
	lastReply      time.Time
}

// describe is a line of the words cons (full) and stat. The number in brackets is 1 for a
// connection that is being served, in ZooKeeper the set of events that its selector waits for.
func (c *conn) describe(full bool) string {
	var b strings.Builder
	served := 0
	if c.session != nil {
		served = 1
	}
	fmt.Fprintf(&b, " /%s[%d](queued=0,recved=%d,sent=%d", c.nc.RemoteAddr(), served,
		c.stats.received, c.stats.sent)
	if full && c.session != nil {
		fmt.Fprintf(&b, ",sid=0x%x,lop=%s,est=%d,to=%d,lcxid=0x%x,lzxid=0x%x,"+
			"lresp=%d,llat=0,minlat=0,avglat=0,maxlat=0", c.session.id, c.stats.lastOp.word(),
			c.began.UnixMilli(), c.session.timeout.Milliseconds(), uint32(c.stats.lastXid),
			c.stats.lastZxid, c.stats.lastReply.UnixMilli())
	}
	b.WriteString(")\n")
	return b.String()
}

// word is the short name of an operation in the answer to cons.
func (op Op) word() string {
	name, known := map[Op]string{
		0: "SESS", OpPing: "PING", OpSync: "SYNC", OpMulti: "MULT", OpMultiRead: "MLTR",
		OpCreate: "CREA", OpCreate2: "CREA", OpCreateContainer: "CREA", OpCreateTTL: "CREA",
		OpDelete: "DELE", OpExists: "EXIS", OpGetData: "GETD", OpSetData: "SETD",
		OpGetACL: "GETA", OpSetACL: "SETA", OpGetChildren: "GETC", OpGetChildren2: "GETC",
		OpSetWatches: "SETW", OpSetWatches2: "STW2", OpAddWatch: "ADDW",
		OpCheckWatches: "CHKW", OpRemoveWatches: "REMW", OpGetEphemerals: "GETE",
		OpGetAllChildrenNumber: "GETACN", OpWhoAmI: "HOMI",
	}[op]
	if !known {
		return "NA"
	}
	return name
}
