package asm

import "unsafe"

// Fetch describes memory that will soon be used: N pieces of Bytes each, whose beginnings are Ld
// apart. Its routines ask the CPU to bring the memory into the second-level cache, and do not wait
// for it.
type Fetch struct {
	P     unsafe.Pointer
	Ld    uintptr
	N     int     // at least 1
	Bytes uintptr // at least 1
}
