package decode

import "sync"

// A Room bounds the number of pixels that are decoded at the same time, by all goroutines.
type Room struct {
	mu         sync.Mutex
	freed      sync.Cond
	size, left int
}

// NewRoom returns a room for that many pixels.
func NewRoom(pixels int) *Room {
	r := &Room{size: pixels, left: pixels}
	r.freed.L = &r.mu
	return r
}

// take waits until n pixels are left, and takes them. What is larger than the room waits until the
// room is empty, and fills it. It returns how many to give back.
func (r *Room) take(n int) int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, r.size)
	for r.left < n {
		r.freed.Wait()
	}
	r.left -= n
	return n
}

// give gives n pixels back.
func (r *Room) give(n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left += n
	r.freed.Broadcast()
}
