// Package policy is the operator's document: which servers of a directory are drained, weighted,
// moved to a zone, given a share of the calls. It parses, prints, edits, evaluates and explains it.
// All functions are pure: they read no clock, no file and no registry.
//
// # Format
//
// A document is UTF-8 text of at most 64 KiB. Its first line is the header. Each other line is a
// rule, a comment, which begins with #, or blank. Parts of a line are separated by spaces or tabs;
// lines end in LF or CRLF.
//
//	#daytime-policy 1
//	drain    192.0.2.10:8897          until=2026-12-01T06:00:00Z by=ops reason="rack 7"
//	drain    2001:db8:7::/64
//	withdraw 192.0.2.11:8897
//	zone     eu-1a  192.0.2.0/25 2001:db8:1::/48
//	weight   zone=eu-1b 50
//	share    version=2.1 10%
//
// The rules:
//
//	drain SEL         no new calls while an instance that is not drained can be picked
//	withdraw SEL      the server takes its own entry away and goes on serving; counts as a drain
//	weight SEL N      0 to 1000, in the place of the server's own, which is 100 if it says none
//	share SEL P%      this part of the calls, 0% to 100% with at most two decimals
//	zone NAME CIDR…   the zone of these addresses, in the place of the server's own
//
// SEL, the selector, is one of:
//
//	192.0.2.10:8897   [2001:db8::1]:8897   one instance
//	192.0.2.10        2001:db8::1          all instances of one address
//	192.0.2.0/25      2001:db8:1::/48      a network, without bits beyond its length
//	zone=eu-1a                             a zone
//	version=2.1                            a tag; see [CheckTag]
//	*                                      every instance
//
// At the end of a rule can stand, each once:
//
//	until=TIME        in RFC 3339, such as 2026-12-01T06:00:00Z; from then on it matches nothing
//	by=NAME           who wrote it
//	reason="TEXT"     why; in quotes, \" is a quote and \\ a backslash
//
// # Evaluation
//
// The order is zone, drain and withdraw, share, weight, wherever the lines stand; selectors see the
// zone that the zone lines give. For each verb the last line that matches an instance decides.
// Drain and withdraw cannot be taken back by a later line, only by removing the line.
//
// Each instance belongs to the side of the share line that decides, or to the rest, which gets what
// the shares leave of 100 %. A side that is empty gives its part to the others ([Split]). A share
// line that would make the sum more than 100 %, added up from the top, is wrong.
//
// Two things hold for the set as a whole: if every instance is drained, drained ones are picked,
// and if every one that is not drained has the weight 0, weights are ignored. [Tally] tells both
// for the instances that are listed, for people and metrics. A picker decides by those that are
// ready.
//
// # Errors
//
// Empty data, and nothing else, is no policy. A document without the header, with a byte order
// mark, not in UTF-8 or too long is unreadable as a whole ([ErrUnreadable]); its reader keeps the
// last good one. A line that is wrong, or of a kind that this version does not know, is left out
// and told with its line and column ([Document.Problems]); the others hold, and editing leaves it
// as it is.
//
// # Use
//
// A reader compiles a [Document] into a [Policy], looks instances up in it with [Policy.Effective],
// and compiles again when a rule expires ([Policy.NextExpiry]). A writer edits with [Document.Set]
// and [Document.Remove], shows [Diff] and what package impact tells, and writes [Document.String].
package policy
