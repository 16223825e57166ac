package run

import (
	"fmt"

	"github.com/fmimg/fmimg/internal/text"
)

// A bound is an amount of memory that a process should not go beyond. The zero bound is none.
type bound struct {
	bytes  float64
	origin string // the file of a container's limit; empty where it is the memory that is free
}

// smaller returns the smaller of two bounds.
func (b bound) smaller(other bound) bound {
	if b.bytes == 0 || other.bytes > 0 && other.bytes < b.bytes {
		return other
	}
	return b
}

// String says what bounds the memory.
func (b bound) String() string {
	if b.origin == "" {
		return text.Bytes(b.bytes) + " are free"
	}
	return fmt.Sprintf("its container may take %s (%s)", text.Bytes(b.bytes), b.origin)
}
