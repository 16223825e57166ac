//go:build !windows

package main

import "syscall"

const errDiskFull = syscall.ENOSPC
