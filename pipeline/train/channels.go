package train

import (
	"slices"

	"github.com/fmimg/fmimg/pipeline/feed"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// The parameters that have a share for each channel of an image. Of C channels and a width of M
// they are [M, C, 3, 3], [C, M, 3, 3] and [C] in PyTorch's shapes.
const (
	stemWeights = "input_blocks.0.0.weight"
	headWeights = "out.2.weight"
	headBias    = "out.2.bias"
)

// A channelKind is what a channel of an image holds.
type channelKind int

const (
	gray channelKind = iota
	red
	green
	blue
	alpha
)

// kindsOf returns what the channels of an image hold; nil where their number does not tell.
func kindsOf(channels int) []channelKind {
	switch channels {
	case 1:
		return []channelKind{gray}
	case 2:
		return []channelKind{gray, alpha}
	case 3:
		return []channelKind{red, green, blue}
	case 4:
		return []channelKind{red, green, blue, alpha}
	}
	return nil
}

// from returns which part of a channel of another kind stands for this one: gray is the mean of the
// colours, each colour is the gray, and nothing stands for alpha.
func (k channelKind) from(other channelKind) float32 {
	switch {
	case k == other:
		return 1
	case k == alpha || other == alpha:
		return 0
	case k == gray:
		return 1.0 / 3
	case other == gray:
		return 1
	}
	return 0
}

// adaptsChannels reports whether a network may go on with images of so many channels.
func adaptsChannels(cfg unet.Config, channels int) bool {
	return cfg.PatchSize <= 1 && kindsOf(cfg.InChannels) != nil && kindsOf(channels) != nil
}

// startChannels lets a network of other channels begin with what the network of a checkpoint knows
// of them. It sees the channels as those of the checkpoint, and what that network predicts is
// brought into its channels. Where one has colours and the other gray, gray is their mean. An alpha
// that the checkpoint does not know is not looked at, and predicted as 0, in the beginning.
func startChannels(made *unet.Model, ck *model.Checkpoint) {
	had, has := kindsOf(ck.UNet().Config().InChannels), kindsOf(made.Config().InChannels)
	from, to := ck.UNet().Params(), made.Params()
	seen, told := make([][]float32, len(has)), make([][]float32, len(has))
	for i, now := range has {
		for _, then := range had {
			seen[i], told[i] = append(seen[i], then.from(now)), append(told[i], now.from(then))
		}
	}
	mix := func(name string, outer int, shares [][]float32) {
		p := to.Lookup(name)
		p.Import(to.Values, mixed(from.Lookup(name).Export(from.Values), outer, shares))
	}
	mix(stemWeights, to.Lookup(stemWeights).Shape[0], seen)
	mix(headWeights, 1, told)
	mix(headBias, 1, told)
}

// mixed returns sums over the middle axis of x, [outer, M, inner]: row i of the result, [outer, N,
// inner], is the sum of the rows j times shares[i][j], [N, M].
func mixed(x []float32, outer int, shares [][]float32) []float32 {
	m := len(shares[0])
	inner := len(x) / (outer * m)
	var y []float32
	for block := range slices.Chunk(x, m*inner) {
		for _, share := range shares {
			sum := make([]float32, inner)
			for j, part := range share {
				for k, v := range block[j*inner:][:inner] {
					sum[k] += part * v
				}
			}
			y = append(y, sum...)
		}
	}
	return y
}

// channelsNote says that a network goes on with other channels.
func channelsNote(now, then unet.Config) string {
	return "for " + string(feed.ChannelsOf(now.InChannels)) + " images instead of " + string(feed.ChannelsOf(then.InChannels))
}
