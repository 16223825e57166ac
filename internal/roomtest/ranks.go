package roomtest

import "github.com/fmimg/fmimg/cluster"

// A Mortal is a rank that dies after Left exchanges.
type Mortal struct {
	cluster.Comm
	Left int
}

// Exchange implements [cluster.Comm].
func (m *Mortal) Exchange(peer int, send, receive []byte) error {
	if m.Left--; m.Left < 0 {
		m.Abort(1)
	}
	return m.Comm.Exchange(peer, send, receive)
}
