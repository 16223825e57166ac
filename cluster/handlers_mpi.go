//go:build mpi && linux && (amd64 || arm64)

package cluster

import (
	"syscall"
	"unsafe"
)

// A handler is what the kernel holds of a signal: struct sigaction of Linux on 64 bits.
type handler struct {
	function uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

const signals = 64

// A handlers is how a process treats each signal, by its number less one.
type handlers [signals]handler

// readHandlers returns how the process treats its signals.
func readHandlers() *handlers {
	h := new(handlers)
	for i := range h {
		sigaction(i+1, nil, &h[i])
	}
	return h
}

// restore gives all signals to these handlers again, but for those that the C library keeps for its
// threads. MPI libraries take signals that Go needs: for its crashes, and to preempt goroutines.
func (h *handlers) restore() {
	for i := range h {
		if signal := i + 1; signal < 32 || signal > 34 {
			sigaction(signal, &h[i], nil)
		}
	}
}

// sigaction reads or writes one handler. Signals that cannot be caught stay as they are.
func sigaction(signal int, write, read *handler) {
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(signal),
		uintptr(unsafe.Pointer(write)), uintptr(unsafe.Pointer(read)), unsafe.Sizeof(uint64(0)), 0, 0)
}
