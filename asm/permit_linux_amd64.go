//go:build !noasm && !purego

package asm

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

// Of Linux's arch_prctl: it lets a process ask for registers that are too large to be saved for
// everybody (Documentation/arch/x86/xstate.rst).
const (
	getPermission = 0x1022
	askPermission = 0x1023
	tileConfig    = 17 // states of XCR0
	tileData      = 18
)

// permitTiles asks the kernel for the tiles of AMX, for the whole process. The kernel refuses where
// the operating system does not save them (bits 17 and 18 of XCR0), and where a thread's stack for
// signals is too small.
var permitTiles = sync.OnceValue(func() error {
	if _, _, code := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, askPermission, tileData, 0); code != 0 {
		return fmt.Errorf("the kernel refused the tiles of AMX: %w", code)
	}
	var states uint64
	_, _, code := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, getPermission, uintptr(unsafe.Pointer(&states)), 0)
	const both = 1<<tileConfig | 1<<tileData
	if code != 0 || states&both != both {
		return fmt.Errorf("the kernel did not give the tiles of AMX: states %#x", states)
	}
	return nil
})
