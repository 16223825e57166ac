package decode

import (
	"runtime"
	"sync"
	"testing"
)

// At any time at most as many pixels are decoded as there is room for.
func TestRoom(t *testing.T) {
	r := NewRoom(10)
	var wg sync.WaitGroup
	var mu sync.Mutex
	inside, most := 0, 0
	add := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		inside += n
		most = max(most, inside)
	}
	for i := range 50 {
		n := 1 + i%10
		wg.Go(func() {
			r.take(n)
			add(n)
			runtime.Gosched()
			add(-n)
			r.give(n)
		})
	}
	wg.Wait()
	if most > 10 || most < 2 || inside != 0 || r.left != 10 {
		t.Errorf("at most %d inside, %d at the end, %d left", most, inside, r.left)
	}
}

// What is larger than the room waits for all of it. A room that is not there bounds nothing.
func TestRoomOfLargePictures(t *testing.T) {
	r := NewRoom(10)
	if n := r.take(25); n != 10 || r.left != 0 {
		t.Errorf("took %d, %d left", n, r.left)
	}
	r.give(10)
	var none *Room
	none.give(none.take(1 << 30))
	if r.left != 10 {
		t.Errorf("%d left", r.left)
	}
}
