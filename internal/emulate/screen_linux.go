package main

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/term"
)

// watch reads what Bochs draws on a pseudoterminal until Bochs ends, and drops it. Bochs would wait
// for ever if nobody read it. The terminal must not echo, as Bochs would take that for typed keys.
func watch(terminal string) error {
	f, err := os.OpenFile(terminal, os.O_RDONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	if _, err := term.MakeRaw(int(f.Fd())); err != nil {
		return errors.Join(err, f.Close())
	}
	// The read fails when Bochs closes its end.
	_, _ = io.Copy(io.Discard, f)
	return f.Close()
}
