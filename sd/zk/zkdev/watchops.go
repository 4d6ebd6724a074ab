package zkdev

// The operations that arm and remove watches.

// setWatches is what a client sends after it has reconnected, and what makes one-shot watches seem
// to outlive connections. The newer operation carries persistent watches too.
func (r *request) setWatches() Code {
	want := rearm{
		lastZxid: r.in.int64(),
		data:     r.in.strings(), exists: r.in.strings(), child: r.in.strings(),
	}
	if r.op == OpSetWatches2 {
		want.persist, want.recursively = r.in.strings(), r.in.strings()
	}
	if r.in.err != nil {
		return MarshallingError
	}
	r.deliver(r.watches.rearm(r.c.id, r.view(r.c), want))
	return OK
}

// addWatch leaves a persistent watch, whether or not the znode is there. Its reply carries one more
// code, which is always OK. A null path is taken as well, and is no watch; a real server that took
// one cannot end the connection any more.
func (r *request) addWatch() Code {
	path, null := r.in.nullable()
	mode := watchMode(r.in.int32())
	if r.in.err != nil || mode != persistent && mode != recursive {
		return MarshallingError
	}
	if !null {
		r.watches.both(path, r.c.id, mode)
	}
	r.out.int32(int32(OK))
	return OK
}

// findWatches removes the watches of the client on a path, or answers whether there is a watch: to
// ZooKeeper 3.8 those of all clients count then
// (https://issues.apache.org/jira/browse/ZOOKEEPER-4466 mended that).
func (r *request) findWatches() Code {
	const ofChildren, ofData, ofAny = 1, 2, 3
	path, null := r.in.nullable()
	sort := r.in.int32()
	if r.in.err != nil || sort < ofChildren || sort > ofAny || null && r.op == OpCheckWatches {
		return MarshallingError
	}
	found := false
	for _, table := range r.watches.tables(sort != ofChildren, sort != ofData) {
		if r.op == OpRemoveWatches {
			found = table.remove(path, r.c.id) || found
			continue
		}
		found = len(table[path]) > 0 || found
	}
	if !found {
		return NoWatcher
	}
	return OK
}
