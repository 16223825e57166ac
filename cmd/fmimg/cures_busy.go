//go:build !js

package main

import "syscall"

const errBusyFile = syscall.ETXTBSY
