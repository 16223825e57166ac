package roomtest

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// NoLeaks fails the test if goroutines outlive it.
func NoLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 100 { // goroutines need a moment to end
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 1<<16)
		t.Errorf("goroutines: %d before, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
	})
}

// Within runs f. If f takes longer than limit it panics, so that the runtime prints all stacks.
func Within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		panic(fmt.Sprintf("%s hangs", t.Name()))
	}
}
