// Package hosts says which of the configured ZooKeeper servers is dialled next, and when. It dials
// none itself.
//
// A [Resolver] turns the configured hosts into [Server] values, one for each address of each name.
// A [Plan] goes through them in rounds: in each, every server has one turn, and a time in which it
// must answer. A [Limiter] bounds how often that happens.
package hosts
