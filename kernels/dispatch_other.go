//go:build (!amd64 && !arm64) || noasm || purego

package kernels

import "github.com/fmimg/fmimg/asm"

// There is no assembly in this build, and no instruction set but Generic.

func (isa ISA) product(length, _ int, p *asm.Product) { asm.ProductGo(p, length) }

func (isa ISA) outer(rows, _ int, o *asm.Outer) { asm.OuterGo(o, rows) }

func (isa ISA) walkVectors(routine walkRoutine, c *asm.Channels) { walkGo(routine, c) }

func (isa ISA) flatVectors(routine flatRoutine, v *asm.Vectors) { flatGo(routine, v) }

func (isa ISA) fetch(*asm.Fetch) {}

func (isa ISA) transform(m tileMatrix, t *asm.Transform) { transformGo(m, t) }
