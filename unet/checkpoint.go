package unet

import (
	"io"

	"github.com/fmimg/fmimg/kernels"
)

// Load reads a checkpoint: a safetensors file whose metadata has "fmimg.config". The second result
// is all of the metadata.
func Load(r io.Reader, isa kernels.ISA) (*Model, map[string]string, error) { panic("TODO") }
