//go:build !amd64 || noasm || purego

package kernels

import "github.com/fmimg/fmimg/asm"

func (isa ISA) lanes() int { return 1 }

func (isa ISA) panelCols(int) int { return asm.ProductCols }

func (isa ISA) segmentCosts() []segmentCost { return segmentsGeneric[:] }

func (isa ISA) outerRows() []int { return rowsGeneric[:] }

func (isa ISA) outerCols(int) int { return asm.OuterCols }

func (isa ISA) product(length, _ int, p *asm.Product) { asm.ProductGo(p, length) }

func (isa ISA) outer(rows, _ int, o *asm.Outer) { asm.OuterGo(o, rows) }

func (isa ISA) walk(routine walkRoutine, c asm.Channels) { walkGo(routine, &c) }

func (isa ISA) flat(flatRoutine, asm.Vectors) int { return 0 }

func (isa ISA) transform(m tileMatrix, t *asm.Transform) { transformGo(m, t) }
