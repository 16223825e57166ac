package unet

import "github.com/fmimg/fmimg/kernels"

// A Block is a stage of the network, for programs that give its parameters other names.
type Block struct {
	Name      string // what the names of its parameters begin with, such as "input_blocks.3"
	Level     int    // of the maps that it reads, from 0 for the largest
	In, Out   int    // channels; In with those of the skip connection
	Residual  bool   // Name.0 is a residual block
	Attention bool   // Name.1 is an attention block
	// Resample is the convolution to another level, such as "input_blocks.3.0.op"; empty: none.
	Resample string
}

// AttendsAt reports whether the residual blocks of a level have attention. The middle block always
// has it.
func (c Config) AttendsAt(level int) bool { return c.attends(1 << level) }

// Blocks lists the stages behind the first convolution, on the way down and on the way up. Between
// them is the middle block. The configuration must be valid.
func (c Config) Blocks() (down, up []Block) {
	c = c.withDefaults()
	stages, ups := c.plan()
	level := 0
	for _, s := range stages[1:] {
		b := Block{Name: s.name, Level: level, In: s.in, Out: s.out, Residual: s.residual, Attention: s.attention}
		if s.resample == kernels.Down3 {
			b.Resample = s.name + ".0.op"
			level++
		}
		down = append(down, b)
	}
	for _, s := range ups {
		b := Block{Name: s.name, Level: level, In: s.in + s.skip, Out: s.out, Residual: true, Attention: s.attention}
		if s.resample == kernels.Up3 {
			b.Resample = s.name + ".1.conv"
			if s.attention {
				b.Resample = s.name + ".2.conv"
			}
			level--
		}
		up = append(up, b)
	}
	return down, up
}
