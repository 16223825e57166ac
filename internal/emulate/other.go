//go:build !linux

package main

import "errors"

// guest is for the emulated machine, which runs Linux.
func guest() {}

func watch(string) error { return errors.ErrUnsupported }
