// Package states holds what packages share that compute on batches of states: n states of d
// numbers, one after the other in one slice of n·d numbers.
package states

import (
	"fmt"
	"sync"
)

// Size returns the size of each of n states that take length numbers together. It panics when they
// do not fit.
func Size(length, n int) int {
	switch {
	case n == 0 && length == 0:
		return 0
	case n <= 0 || length == 0 || length%n != 0:
		panic(fmt.Sprintf("states: %d numbers do not hold %d states of equal size", length, n))
	}
	return length / n
}

// Finite reports whether x is neither infinite nor NaN.
func Finite(x float64) bool { return x-x == 0 }

// Sized returns s with n elements. It allocates a new slice when the capacity of s is smaller.
func Sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// A FreeList lends scratch memory to calls that run at the same time. Unlike a sync.Pool it never
// drops memory, so after warm-up nothing is allocated. The zero value is ready.
type FreeList[T any] struct {
	mu   sync.Mutex
	free []*T
}

// Get lends memory that holds what its last user left.
func (l *FreeList[T]) Get() *T {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.free) - 1
	if last < 0 {
		return new(T)
	}
	scratch := l.free[last]
	l.free = l.free[:last]
	return scratch
}

// Put takes the memory back.
func (l *FreeList[T]) Put(scratch *T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = append(l.free, scratch)
}
