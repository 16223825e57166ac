package unet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/safetensors"
)

// A variant is a part of guided diffusion's family of networks that this one does not have. A
// tensor's name shows it.
type variant struct {
	in   string // part of the names
	says string
}

var variants = []variant{
	{".transformer_blocks.", "it has transformers, of networks that draw by text"},
	{".encoder_kv.", "its attention reads a text"},
	{"label_emb.0.", "its classes are not a table, label_emb.weight"},
	{"encoder_pool.", "it has an encoder of conditions"},
}

// differences lists what tensors, with guided diffusion's names, have that this network has not.
// One error says all of it, each by a tensor.
func differences(f *safetensors.File) error {
	var list []string
	blocks := map[string]bool{} // whose tensors there are, such as input_blocks.3
	shown := map[string]bool{}
	add := func(key, format string, args ...any) {
		if !shown[key] {
			shown[key] = true
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	for i := range f.Tensors {
		name := f.Tensors[i].Name
		parts := strings.SplitN(name, ".", 4)
		if len(parts) == 4 {
			blocks[parts[0]+"."+parts[1]] = true
			if parts[0] == "output_blocks" && parts[2] != "0" && strings.HasPrefix(parts[3], "in_layers.") {
				add("up", "%.80s: residual blocks change the size of maps (resblock_updown)", name)
			}
		}
		for _, v := range variants {
			if strings.Contains(name, v.in) {
				add(v.in, "%.80s: %s", name, v.says)
			}
		}
	}
	list = append(list, missingBlocks(blocks)...)
	list = append(list, oddEnds(f)...)
	if len(list) == 0 {
		return nil
	}
	return errors.New("it has what this U-Net has otherwise: " + strings.Join(list, "; "))
}

// missingBlocks finds blocks without parameters among the input blocks, and a missing half.
func missingBlocks(blocks map[string]bool) (list []string) {
	last := 0
	for i := range maxStages {
		if blocks[fmt.Sprintf("input_blocks.%d", i)] {
			last = i
		}
	}
	for i := 2; i < last; i++ { // a residual block is first
		if name := fmt.Sprintf("input_blocks.%d", i); !blocks[name] {
			list = append(list, name+" has no tensors: maps are halved without a convolution (conv_resample)")
			break
		}
	}
	if last > 0 && !blocks["output_blocks.0"] {
		list = append(list, "output_blocks are missing: it is half of a network, as a classifier is")
	}
	return list
}

// oddEnds finds widths that do not fit each other.
func oddEnds(f *safetensors.File) (list []string) {
	stem, out, embedding := f.Tensor(StemName), f.Tensor("out.2.weight"), f.Tensor("time_embed.0.weight")
	if out != nil && !slices.Equal(out.Shape[:min(len(out.Shape), 1)], stem.Shape[1:2]) {
		list = append(list, fmt.Sprintf("out.2.weight of shape %v with %s of %v: it makes other channels than it reads",
			out.Shape, StemName, stem.Shape))
	}
	if width := embedding.Shape[1]; stem.Shape[0]%width != 0 {
		list = append(list, fmt.Sprintf("%s of shape %v: not a multiple of the %d channels of time_embed.0.weight (a fraction in channel_mult)",
			StemName, stem.Shape, width))
	}
	return list
}
