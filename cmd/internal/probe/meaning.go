package probe

// notDaytime is the advice for an address at which another program answers.
const notDaytime = "find out which program has the port, and which server claims it; " +
	"the name may be a leftover"

// A meaning is what the nature of an address means for a server that is registered there.
type meaning struct {
	nature          Nature
	problem, advice string
}

// meanings are those that need no more to be known.
func meanings() []meaning {
	return []meaning{
		{Refused, "connection refused: it is listed, and nobody listens there",
			"start it again; else the name goes when its session (or lease) ends, and one that " +
				"stays is to be deleted"},
		{Empty, "it hangs up without an answer",
			"see its log: a limit (--max-conns), or a proxy without a server behind it"},
		{Reset, "it resets the connection",
			"see its log, and what stands between: a proxy or firewall"},
		{HTTP, "it speaks HTTP, and not daytime", notDaytime},
		{TLS, "it speaks TLS, and is asked in clear text",
			"give --tls-ca and --tls-name; else: " + notDaytime},
		{Clear, "it answers in clear text, where TLS is wanted",
			"give it --tls-cert and --tls-key, or leave --tls-name out"},
		{Untrusted, "it does not prove the name of the service",
			"see its certificate: name, authority and end"},
		{Unwelcome, "it refuses this client's handshake of TLS",
			"give --tls-cert and --tls-key that its --tls-client-ca knows; else: " + notDaytime},
		{Echo, "an echo server: it sends back what it gets", notDaytime},
		{Endless, "it says more than one line can hold", notDaytime},
		{Other, "it speaks another protocol than daytime", notDaytime},
		{Garbage, "it answers with bytes that are no text", notDaytime},
		{NoTime, "it answers with a line in which there is no time", notDaytime},
		{Unclear, "its time is in a form that is not understood, so that its clock is not compared",
			"use --format of daytimesvc"},
		{Unknown, "no answer", "see its log"},
	}
}

// Meaning is what an address of this nature means for a server that is registered there, and what
// to do about it; nothing if all is well, or more must be known to say it.
func (n Nature) Meaning() (problem, advice string) {
	for _, m := range meanings() {
		if m.nature == n {
			return m.problem, m.advice
		}
	}
	return "", ""
}
