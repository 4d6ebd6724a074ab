package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/daytime/cmd/internal/doctor/acl"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/steer"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/policy/impact"
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
		"give them r in its ACL: "+z.dir.acl.String(), "%s", "it may not be listed: "+brief(err))
	z.Unchecked("all", "it is not known who is registered")
}

// checkACL tells who may do what.
func (z *zookeeper) checkACL() {
	d := &z.dir
	if d.aclErr != nil {
		z.Unchecked("acl", "it may not be read: "+brief(d.aclErr))
		return
	}
	all, open := d.acl.Perms()
	const advice = "setAcl with rights for your own servers and operators alone, such as " +
		"digest:operator:...:wa, digest:server:...:cd, world:anyone:r"
	if may := acl.Words(open); may != "" {
		z.Warn("acl", d.path, advice, "%s", "anybody may "+may)
	} else {
		z.Fine("acl", d.path, "%s", d.acl.String())
	}
	if all&acl.Create == 0 {
		z.Error("acl", d.path, advice, "nobody may create nodes, so that no server can register")
	}
	if all&acl.Admin == 0 {
		z.Warn("acl", d.path, "have ZooKeeper's superuser setAcl with a for your operators, such as "+
			"digest:operator:...:wa", "nobody may change the ACL any more, ZooKeeper's superuser apart")
	}
	if open&acl.Read == 0 {
		z.Warn("acl", d.path, "add world:anyone:r", "not everybody may read it: clients without "+
			"credentials see nobody")
	}
	if open&acl.Write == 0 {
		z.Fine("acl", d.path, "%s", "who may steer (write the policy): "+d.acl.Who(acl.Write))
	}
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
	drained, weight, effectives := 0, 0, compiled.EffectiveAll(fleet)
	for _, effective := range effectives {
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
	case impact.SharesSuspended(compiled, effectives):
		d.Warn("policy", subject, "daytimecli undrain SEL for those that are to be called, or policy edit",
			"it suspends itself: servers with a share of 0%% are called, as nobody else is there "+
				"for who follows no other registry")
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
