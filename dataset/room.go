package dataset

import "sync"

// A room bounds the pixels that are decoded at the same time, however many goroutines decode.
type room struct {
	mu    sync.Mutex
	freed sync.Cond
	left  int
}

func newRoom(pixels int) *room {
	r := &room{left: pixels}
	r.freed.L = &r.mu
	return r
}

// take waits until n pixels, at most what the room was made for, are left and takes them.
func (r *room) take(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.left < n {
		r.freed.Wait()
	}
	r.left -= n
}

// give returns what was taken.
func (r *room) give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	r.freed.Broadcast()
}
