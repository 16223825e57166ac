package dataset

import "sync"

// A room bounds the number of pixels that are decoded at the same time, by all goroutines.
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

// take waits until n pixels are left, and takes them. n is at most the size of the room.
func (r *room) take(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.left < n {
		r.freed.Wait()
	}
	r.left -= n
}

// give gives n pixels back.
func (r *room) give(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	r.freed.Broadcast()
}
