// Package guard stands in front of every request to the server. [Guard.Handler] refuses what a page
// of another site may have sent, and what does not know the token, and bounds what a client may
// take: time, bytes and memory. Start reading in guard.go:
//
//	connection ─► path ─► Host ─► Origin ─► Content-Type ─► token ─► body, deadlines ─► next
//	               404     421     403       415             401      413, 429
//
// A server that listens on this machine alone needs no token: who reaches it is on the machine, or
// is a page in a browser there, which Host, Origin and Sec-Fetch-Site give away.
package guard
