// Package gate has the registries withhold what their policy withdraws: a Backend that announces
// asks it before it registers an entry, and again when the policy is another one or a line expires.
package gate

import (
	"fmt"
	"time"

	"example.com/daytime/sd/policy"
)

// A Gate is what the policy is to a Backend that announces: it holds the last one that was readable
// and says which entries it withholds. The zero value has none. It has no lock and no clock.
type Gate struct {
	document policy.Document
	compiled *policy.Policy // as it holds until expiry; nil: to be compiled
	expiry   time.Time      // zero: never
}

// SetPolicy sets the policy to that of the registry, empty for none. One that is unreadable is an
// error, and the last one stays.
func (g *Gate) SetPolicy(document string) error {
	d, err := policy.Parse(document)
	if err != nil {
		return err
	}
	g.document, g.compiled = d, nil
	return nil
}

// Withheld returns why e is withheld at now, or nil, and when that is to be asked again, also if no
// other policy was read until then; the zero time is never. The error names the line, for a Status.
func (g *Gate) Withheld(e policy.Entry, now time.Time) (again time.Time, why error) {
	if g.compiled == nil || !g.expiry.IsZero() && !now.Before(g.expiry) {
		g.compiled = g.document.Compile(now)
		g.expiry, _ = g.compiled.NextExpiry()
	}
	if !g.compiled.Effective(e).Withdrawn {
		return g.expiry, nil
	}
	rule, _ := g.compiled.Deciding(e, policy.Withdraw)
	return g.expiry, fmt.Errorf("withheld by line %d of the policy: %s", rule.Line, rule)
}
