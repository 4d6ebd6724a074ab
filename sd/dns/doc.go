// Package dns is the Backend of package sd on the DNS. It only discovers: who announces in it gets
// an error.
//
// # What is asked
//
// A target is dns://[resolver[:port][,resolver[:port]...]]/name, and the name is absolute, with or
// without a dot at its end. Without a resolver those of /etc/resolv.conf are asked, which is read
// again each time.
//
//   - By default the question is for SRV records (RFC 2782), and the instances are the addresses of
//     their targets with their ports. A target that has no address is left out. The one target "."
//     says that there are no servers.
//   - With ?port= the question is for A and AAAA records, and the instances are the addresses with
//     that port.
//
// An SRV record's weight and priority become attributes. The priority is a tag of that name. Of
// those with the lowest priority, which must be tried first, the weight is the instance's: at least
// 1, scaled down if one of the answer is over 1000, and the default if all are 0. All others have
// the weight 0, with which they are picked when nobody else can be.
//
// # When it is asked again
//
// When the least TTL in the answer is over, after a second at the earliest and an hour at the
// latest, and after ?interval= (100ms to 1h) at the latest if that is given. That is also when a
// change is seen. That there is no address of one kind counts for as long as a SOA record says; the
// answers of small servers have none, and then the addresses of the other kind say it.
//
// # Unknown is not empty
//
//	answer                                at the start     later
//	records                               the set          the set
//	none, but the name exists             the empty set    the empty set
//	the name does not exist (NXDOMAIN)    is waited for    an error
//	SRV records, and not one address      an error         an error
//	no answer, SERVFAIL, REFUSED, lame    an error         an error
//
// An error ends Watch, and what was known before is stale. The next Watch asks after 100 ms at the
// earliest, and after twice as long each time, up to 5 s (or the interval, if that is less): an
// answer that cannot be had may cost a question for each of many targets.
//
// A name that has addresses of one kind exists, also where the answer about the other kind is
// NXDOMAIN.
//
// Half an answer is none: an answer that is truncated is asked for again over TCP, and if the
// address of one target cannot be had (as opposed to: there is none) there is no set. An instance
// that has left the answer counts as lost, not as withdrawn: DNS does not tell.
//
// An answer of more than 4096 targets, or of more than 65536 instances, is an error, too.
//
// Each server has a second, and two in a second round; then there is no answer. Nothing is
// validated (DNSSEC): what is between here and the resolver, and the resolver itself, are trusted.
package dns
