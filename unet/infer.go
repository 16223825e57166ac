package unet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/safetensors"
)

// StemName is the weight of the first convolution, which every network of this kind has.
const StemName = "input_blocks.0.0.weight"

// maxStages is more than the stages on the way down of any valid configuration.
const maxStages = 8 * (16 + 1)

// Infer finds the configuration of a network from the names and shapes of its parameters, as
// PyTorch saves them. ImageSize, NumHeads, NormGroups, TimeScale, NullClass and PatchSize stay
// zero: shapes do not tell them, and the numbers of a patch count as channels. Wrappers put a
// prefix such as "module." before all names: Infer takes it off the names in f.
func Infer(f *safetensors.File) (Config, error) {
	if err := trimPrefix(f); err != nil {
		return Config{}, err
	}
	var c Config
	shape := func(name string, rank int) []int {
		if t := f.Tensor(name); t != nil && len(t.Shape) == rank {
			return t.Shape
		}
		return nil
	}
	stem, embedding := shape(StemName, 4), shape("time_embed.0.weight", 2)
	if stem == nil || embedding == nil || embedding[1] < 1 {
		return c, errors.New("its tensors are not those of this U-Net: " +
			"input_blocks.0.0.weight [C,C,3,3] and time_embed.0.weight [4C,C] are needed")
	}
	if err := differences(f); err != nil {
		return c, err
	}
	c.InChannels, c.ModelChannels = stem[1], embedding[1]
	if labels := shape("label_emb.weight", 2); labels != nil {
		c.NumClasses = labels[0]
	}
	c.FlowMap = shape("jump_embed.0.weight", 2) != nil
	c.GuidanceEmbed = shape("guidance_embed.0.weight", 2) != nil
	var err error
	if c, err = c.inferLevels(shape); err != nil {
		return c, err
	}
	if c.NumResBlocks == 0 {
		return c, errors.New("input_blocks.1.0: there is no residual block")
	}
	width := shape("input_blocks.1.0.emb_layers.1.weight", 2)
	c.UseScaleShiftNorm = len(width) > 0 && width[0] == 2*c.ChannelMult[0]*c.ModelChannels
	return c, nil
}

// inferLevels walks down the network. A level is residual blocks, which may have attention, and
// then a convolution that halves the map. The last level has no such convolution.
func (c Config) inferLevels(shape func(name string, rank int) []int) (Config, error) {
	blocks, factor, mult := 0, 1, 0
	endLevel := func(where string) error {
		if len(c.ChannelMult) > 0 && blocks != c.NumResBlocks {
			return fmt.Errorf("%s: a level of %d residual blocks after one of %d", where, blocks, c.NumResBlocks)
		}
		c.NumResBlocks, blocks = blocks, 0
		c.ChannelMult = append(c.ChannelMult, mult)
		return nil
	}
	i := 1
	for ; i < maxStages; i++ {
		stage := fmt.Sprintf("input_blocks.%d", i)
		if shape(stage+".0.op.weight", 4) != nil {
			if err := endLevel(stage); err != nil {
				return c, err
			}
			factor *= 2
			continue
		}
		conv := shape(stage+".0.in_layers.2.weight", 4)
		if conv == nil {
			break
		}
		if conv[0]%c.ModelChannels != 0 || (blocks > 0 && conv[0] != mult*c.ModelChannels) {
			return c, fmt.Errorf("%s: its %d channels fit no level of a network of %d channels",
				stage, conv[0], c.ModelChannels)
		}
		mult = conv[0] / c.ModelChannels
		blocks++
		if shape(stage+".1.qkv.weight", 3) != nil && !slices.Contains(c.AttentionResolutions, factor) {
			c.AttentionResolutions = append(c.AttentionResolutions, factor)
		}
	}
	err := endLevel(fmt.Sprintf("input_blocks.%d", i))
	return c, err
}

// trimPrefix takes the prefix before the stem's name off all names. It changes nothing when the
// stem has no prefix, and when there are several stems.
func trimPrefix(f *safetensors.File) error {
	prefix := ""
	for _, t := range f.Tensors {
		before, ok := strings.CutSuffix(t.Name, StemName)
		if !ok {
			continue
		}
		if prefix != "" || before == "" {
			return nil // the search by name then says what is missing
		}
		prefix = before
	}
	for i := range f.Tensors {
		rest, ok := strings.CutPrefix(f.Tensors[i].Name, prefix)
		if !ok {
			return fmt.Errorf("tensor %.60q stands beside a network whose names begin with %.60q: "+
				"save its state dict alone", f.Tensors[i].Name, prefix)
		}
		f.Tensors[i].Name = rest
	}
	return nil
}
