package cluster

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
)

// eachRank calls do for all ranks of a run at once.
func eachRank(size int, do func(c Comm)) {
	var all sync.WaitGroup
	for _, c := range InProcess(size) {
		all.Go(func() { do(c) })
	}
	all.Wait()
}

// Every rank has all parts in the end, also where some are empty.
func TestAllGather(t *testing.T) {
	for size := 1; size <= 7; size++ {
		want := []byte("any bytes")[:min(size, 5)]
		eachRank(size, func(c Comm) {
			cuts := Shares(c, len(want), 1)
			own := make([]byte, len(want))
			copy(own[cuts[c.Rank()]:cuts[c.Rank()+1]], want[cuts[c.Rank()]:])
			if err := AllGather(c, own, cuts); err != nil || !bytes.Equal(own, want) {
				t.Errorf("rank %d of %d has %q, %v", c.Rank(), size, own, err)
			}
		})
	}
}

// The lowest rank that failed has its own error, and the others name it. A failure comes before an
// interruption.
func TestAgree(t *testing.T) {
	bad, worse := errors.New("bad"), errors.New("worse")
	for name, c := range map[string]struct {
		errs []error
		want []string
	}{
		"none":        {[]error{nil, nil, nil}, []string{"", "", ""}},
		"one":         {[]error{nil, bad, nil}, []string{"rank 1: bad", "bad", "rank 1: bad"}},
		"two":         {[]error{nil, bad, worse}, []string{"rank 1: bad", "bad", "rank 1: bad"}},
		"stopped":     {[]error{nil, context.DeadlineExceeded, nil}, []string{"context canceled", "context deadline exceeded", "context canceled"}},
		"both":        {[]error{context.Canceled, nil, bad}, []string{"rank 2: bad", "rank 2: bad", "bad"}},
		"all stopped": {[]error{context.Canceled, context.Canceled, context.Canceled}, []string{"context canceled", "context canceled", "context canceled"}},
	} {
		eachRank(3, func(r Comm) {
			got := ""
			if err := Agree(r, c.errs[r.Rank()]); err != nil {
				got = err.Error()
			}
			if got != c.want[r.Rank()] {
				t.Errorf("%s: rank %d got %q, want %q", name, r.Rank(), got, c.want[r.Rank()])
			}
		})
	}
}
