package lb

import "example.com/daytime/sd/lb/internal/cause"

// verdict says how a call goes on after its n-th failed attempt.
func (c *retryConfig) verdict(n int, err error, idempotent bool) Verdict {
	if c.classify != nil {
		if v := c.classify(n, err); v != Undecided {
			return v
		}
	}
	if cause.Unsent(err) || idempotent && cause.IsIllness(err) {
		return Elsewhere
	}
	return Permanent
}
