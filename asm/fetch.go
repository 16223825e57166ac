package asm

import "unsafe"

// Fetch describes memory that will soon be used: N pieces of Bytes each, their beginnings Ld apart. Its routines
// ask for it to be brought into the second-level cache, and wait for nothing.
type Fetch struct {
	P     unsafe.Pointer
	Ld    uintptr
	N     int     // at least 1
	Bytes uintptr // at least 1
}
