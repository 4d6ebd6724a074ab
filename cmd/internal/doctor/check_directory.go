package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk/session"
)

// checkDirectory tells what is wrong with the directory itself.
func (z *zookeeper) checkDirectory() {
	d := &z.dir
	switch {
	case d.err != nil:
		z.Error("directory", d.path, "see why the member is so slow, or raise --timeout",
			"it could not be read: %s", brief(d.err))
		z.Unchecked("all", "it is not known who is registered")
		return
	case !d.found:
		z.missing()
		return
	case d.ephemeral:
		z.Error("directory", d.path, "name another path in --sd, or delete the node",
			"it is an ephemeral node, and can have no children: nobody can register")
		return
	case d.listErr != nil:
		z.denied(d.listErr)
		return
	}
	z.Fine("directory", d.path, "%s", "there, with "+shell.Count(len(z.nodes), "node"))
	z.checkACL()
	z.checkData()
	if len(z.nodes) == 0 {
		z.Warn("directory", d.path, "see the servers' logs, and compare their --sd",
			"nobody is registered")
	}
}

// missing tells of a directory that is not there, and where it may be.
func (z *zookeeper) missing() {
	d := &z.dir
	advice := "start a server, which makes it, or correct the path in --sd"
	if len(d.others) > 0 {
		advice = "correct the path in --sd; servers are in " + strings.Join(d.others, " and ")
	}
	problem := "there is no such directory: nobody has registered there, or the path is wrong"
	if d.above != "/" {
		problem += "; " + d.above + " is there"
	}
	z.Error("directory", d.path, advice, "%s", problem)
	z.Unchecked("all", "nobody is registered there")
}

// denied tells of a directory that may not be read.
func (z *zookeeper) denied(err error) {
	z.Error("directory", z.dir.path, "correct the credentials in --sd (auth-file, tls-cert), or "+
		"give them r in its ACL: "+z.aclText(), "%s", "it may not be listed: "+brief(err))
	z.Unchecked("all", "it is not known who is registered")
}

// aclText is the ACL as it is set, without what is secret.
func (z *zookeeper) aclText() string {
	var parts []string
	for _, a := range z.dir.acl {
		parts = append(parts, a.who()+":"+a.rights())
	}
	return strings.Join(parts, ", ")
}

// who is for whom an entry of an ACL is. The hash of a password is left out.
func (a access) who() string {
	id := a.id
	if a.scheme == "digest" {
		id, _, _ = strings.Cut(id, ":")
	}
	return a.scheme + ":" + id
}

func (a access) rights() string {
	text := ""
	for _, r := range []struct {
		perm   int32
		letter string
	}{{permCreate, "c"}, {permDelete, "d"}, {permRead, "r"}, {permWrite, "w"}, {permAdmin, "a"}} {
		if a.perms&r.perm != 0 {
			text += r.letter
		}
	}
	return text
}

// isAnybody reports whether an entry is for everybody, or for a network without bounds.
func (a access) isAnybody() bool {
	return a.scheme == "world" && a.id == "anyone" || a.scheme == "ip" && strings.HasSuffix(a.id, "/0")
}

// checkACL tells who may do what.
func (z *zookeeper) checkACL() {
	d := &z.dir
	if d.aclErr != nil {
		z.Unchecked("acl", "it may not be read: "+brief(d.aclErr))
		return
	}
	open, all := int32(0), int32(0)
	for _, a := range d.acl {
		all |= a.perms
		if a.isAnybody() {
			open |= a.perms
		}
	}
	const advice = "setAcl with rights for your own servers and operators alone, such as " +
		"digest:operator:...:wa, digest:server:...:cd, world:anyone:r"
	if may := rightsText(open &^ permRead); may != "" {
		z.Warn("acl", d.path, advice, "%s", "anybody may "+may)
	} else {
		z.Fine("acl", d.path, "%s", z.aclText())
	}
	if all&permCreate == 0 {
		z.Error("acl", d.path, advice, "nobody may create nodes, so that no server can register")
	}
	if all&permAdmin == 0 {
		z.Warn("acl", d.path, "have ZooKeeper's superuser setAcl with a for your operators, such as "+
			"digest:operator:...:wa", "nobody may change the ACL any more, ZooKeeper's superuser apart")
	}
	if open&permRead == 0 {
		z.Warn("acl", d.path, "add world:anyone:r", "not everybody may read it: clients without "+
			"credentials see nobody")
	}
	if open&permWrite == 0 {
		z.Fine("acl", d.path, "%s", "who may steer (write the policy): "+whoHas(d.acl, permWrite))
	}
}

// whoHas is to whom an ACL gives a permission.
func whoHas(acl []access, perm int32) string {
	var who []string
	for _, a := range acl {
		if a.perms&perm != 0 {
			who = append(who, a.who())
		}
	}
	if len(who) == 0 {
		return "nobody"
	}
	slices.Sort(who)
	return strings.Join(slices.Compact(who), ", ")
}

// rightsText is a set of permissions in words.
func rightsText(perms int32) string {
	var parts []string
	for _, r := range []struct {
		perm int32
		text string
	}{{permCreate, "register servers"}, {permDelete, "delete servers"}, {permWrite,
		"write the policy"},
		{permAdmin, "change the ACL"}} {
		if perms&r.perm != 0 {
			parts = append(parts, r.text)
		}
	}
	if n := len(parts) - 1; n > 0 {
		return strings.Join(parts[:n], ", ") + " and " + parts[n]
	}
	return strings.Join(parts, "")
}

// checkData tells what stands in the place of the policy.
func (z *zookeeper) checkData() {
	d := &z.dir
	switch {
	case errors.Is(d.dataErr, session.ErrNoAuth):
		z.Error("policy", d.path, "give everybody r in the ACL of the directory, or credentials "+
			"in --sd", "%s", "it may not be read: "+brief(d.dataErr))
	case d.dataErr != nil:
		z.Unchecked("policy", brief(d.dataErr))
	default:
		z.checkPolicy(d.path, string(d.data), int64(d.version))
	}
}

// checkPolicy tells which lines of a policy are without effect, and when all of it is.
func (d *diagnosis) checkPolicy(subject, text string, version int64) {
	if d.Target.Keys["policy"] == "off" && text != "" {
		d.Warn("policy", subject, "take policy=off away once the emergency is over",
			"policy=off in --sd: who uses this target ignores it")
	}
	document, err := policy.Parse(text)
	if err != nil {
		d.Error("policy", subject, "daytimecli policy apply FILE --force, with a good document",
			"%s", "it is unreadable, so that clients keep the last good one or have none: "+
				""+strings.TrimPrefix(err.Error(), "policy: "))
		return
	}
	if document.IsEmpty() {
		d.Fine("policy", subject, "none")
		return
	}
	now := time.Now()
	var fleet []policy.Entry
	for _, n := range d.instances() {
		fleet = append(fleet, n.entry())
	}
	lines := strings.Split(text, "\n")
	for _, r := range steer.Withdrawals(document, now) {
		d.Fine("policy", fmt.Sprintf("line %d", r.Line), "in force: %v; withdrawn servers are not "+
			"registered, and not counted", r)
	}
	for _, p := range document.Check(fleet, now) {
		d.checkLine(document, lines, p)
	}
	d.checkSuspended(subject, version, document, fleet)
}

// checkSuspended tells of a policy that is without effect as a whole.
func (d *diagnosis) checkSuspended(subject string, version int64, document policy.Document,
	fleet []policy.Entry) {
	now := time.Now()
	compiled := document.Compile(now)
	drained, weight := 0, 0
	for _, e := range fleet {
		effective := compiled.Effective(e)
		if effective.Drained {
			drained++
		} else {
			weight += effective.Weight
		}
	}
	switch {
	case len(fleet) > 0 && drained == len(fleet):
		d.Warn("policy", subject, "daytimecli undrain SEL for those that are to be called",
			"it suspends itself: all %d servers are drained, so that drained ones are "+
				"called by who follows no other registry", drained)
	case len(fleet) > 0 && weight == 0:
		d.Warn("policy", subject, "daytimecli weight SEL N for those that are to be called",
			"it suspends itself: every server that is not drained has weight 0, so that weights "+
				"are ignored by who follows no other registry")
	default:
		d.Fine("policy", subject, "version %d, %s in force, %d of %s drained", version,
			shell.Count(inForce(document, now), "line"), drained, shell.Count(len(fleet),
				"server"))
	}
}

// inForce counts the lines that hold.
func inForce(d policy.Document, now time.Time) (n int) {
	wrong := map[int]bool{}
	for _, p := range d.Problems(now) {
		wrong[p.Line] = true
	}
	for _, r := range d.Rules() {
		if !r.Expired(now) && !wrong[r.Line] {
			n++
		}
	}
	return n
}

// checkLine tells of one line. One that withdraws a server by name matches nobody as it should: the
// server has left.
func (d *diagnosis) checkLine(document policy.Document, lines []string, p *policy.Problem) {
	text := ""
	if p.Line >= 1 && p.Line <= len(lines) {
		text = fmt.Sprintf(" (%.60q)", strings.TrimRight(lines[p.Line-1], "\r"))
	}
	rules := document.Rules()
	i := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.Line == p.Line })
	at := fmt.Sprintf("line %d", p.Line)
	switch p.Kind {
	case policy.Wrong:
		d.Error("policy", fmt.Sprintf("line %d, column %d", p.Line, p.Column),
			"daytimecli policy edit", "%s", "wrong, and so left out: "+p.Cause+text)
	case policy.Expired:
		d.Warn("policy", at, "daytimecli policy edit, or leave it: it goes with a later write",
			"%s", "without effect: "+p.Cause+text)
	case policy.Unmatched:
		if i >= 0 && rules[i].Verb == policy.Withdraw {
			return
		}
		if w := steer.Withdrawals(document, time.Now()); len(w) > 0 {
			text += ", unless it is withdrawn, by " + steer.Lines(w)
		}
		d.Warn("policy", at, "see whether its selector is spelt right: daytimecli list -o wide",
			"%s", p.Cause+text)
	}
}
