package bench

import (
	"context"
	"time"

	"github.com/fmimg/fmimg/cluster"
)

const (
	smallExchanges = 200
	largeExchanges = 20
	smallMessage   = 8
)

// measureLink measures exchanges between the first two ranks, while the others wait: of small
// messages, and of messages of so many bytes. Rank 0 knows the result.
func measureLink(ctx context.Context, c cluster.Comm, bytes int) (Link, error) {
	if c.Size() == 1 {
		return Link{}, nil
	}
	var l Link
	if c.Rank() < 2 {
		small, err := exchangeSeconds(ctx, c, smallMessage, smallExchanges)
		if err != nil {
			return l, err
		}
		large, err := exchangeSeconds(ctx, c, bytes, largeExchanges)
		if err != nil {
			return l, err
		}
		l = Link{Latency: small, Bandwidth: float64(bytes) / max(large-small, 1e-9)}
	}
	return l, c.Barrier()
}

// exchangeSeconds returns the median time of an exchange between ranks 0 and 1.
func exchangeSeconds(ctx context.Context, c cluster.Comm, bytes, times int) (float64, error) {
	peer := 1 - c.Rank()
	send, receive := make([]byte, bytes), make([]byte, bytes)
	var seconds []float64
	for i := range times + times/10 + 1 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := c.Exchange(peer, send, receive); err != nil {
			return 0, err
		}
		if i > times/10 { // those before warm up
			seconds = append(seconds, time.Since(start).Seconds())
		}
	}
	return median(seconds), nil
}

// firstRanks returns the connection among the first n ranks of another, one of which calls it.
func firstRanks(c cluster.Comm, n int) cluster.Comm {
	if n == c.Size() {
		return c
	}
	return &group{c, n}
}

// A group is the first ranks of a connection. The calls of all ranks are made of messages.
type group struct {
	cluster.Comm
	size int
}

// Size implements [cluster.Comm].
func (g *group) Size() int { return g.size }

// Broadcast implements [cluster.Comm].
func (g *group) Broadcast(root int, data []byte) error {
	if g.Rank() != root {
		return g.Receive(root, data)
	}
	for to := range g.size {
		if to == root {
			continue
		}
		if err := g.Send(to, data); err != nil {
			return err
		}
	}
	return nil
}

// Barrier implements [cluster.Comm].
func (g *group) Barrier() error {
	if _, err := cluster.Gather(g, 0, nil); err != nil {
		return err
	}
	return g.Broadcast(0, nil)
}

// Close implements [cluster.Comm]. The connection of all ranks stays.
func (g *group) Close() error { return nil }
