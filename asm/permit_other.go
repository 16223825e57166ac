//go:build !linux || !amd64 || noasm || purego

package asm

import "errors"

// permitTiles refuses the tiles of AMX: how other systems give them was not tried.
func permitTiles() error { return errors.New("AMX is for Linux alone") }
