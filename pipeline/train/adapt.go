package train

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/kernels"
	"github.com/fmimg/fmimg/pipeline"
	"github.com/fmimg/fmimg/pipeline/model"
	"github.com/fmimg/fmimg/unet"
)

// labelWeights is the parameter that has a row for each class.
const labelWeights = "label_emb.weight"

// adaptedConfig returns the network of a checkpoint for the data at hand: of its size, which no
// weight depends on, its channels and its classes. It is the checkpoint's own where that suits the
// data, and where the network cannot halve images of that size.
func (o *Options) adaptedConfig(ck *model.Checkpoint, data dataset.Source) unet.Config {
	cfg := ck.UNet().Config()
	cfg.ChannelMult = slices.Clone(cfg.ChannelMult)
	s := pipeline.ShapeOf(data)
	if divides(cfg.Factor(), s.Size()) {
		cfg.ImageSize = [2]int{s.Height, s.Width}
	}
	if ck.Meta.Data != "" && adaptsChannels(cfg, s.Channels) {
		cfg.InChannels = s.Channels
	}
	classes := len(data.Classes())
	if o.Conditional == ConditionalNo {
		classes = 0
	}
	switch {
	case classes == cfg.Classes() && (o.LabelDrop > 0 || sameClasses(cfg, ck, data)) ||
		cfg.NumClasses == 0 && o.Conditional != ConditionalYes:
	case classes == 0:
		cfg.NumClasses, cfg.NullClass = 0, false
	default:
		cfg.NullClass = o.LabelDrop > 0
		if cfg.NumClasses = classes; cfg.NullClass {
			cfg.NumClasses++
		}
	}
	return cfg
}

// adapt returns the model of a checkpoint for the data at hand. What the network of another size or
// other classes shares with it is taken over, and classes that it does not know begin as no class
// does. A note says so.
func (o *Options) adapt(ck *model.Checkpoint, data dataset.Source, isa kernels.ISA) (*unet.Model, error) {
	old, cfg := ck.UNet().Config(), o.adaptedConfig(ck, data)
	otherClusters := cfg.NumClasses > 0 && o.ClusterLabels() && !reflect.DeepEqual(ck.Meta.Clusters, o.Clusters)
	if reflect.DeepEqual(cfg, old) && !otherClusters && sameClasses(cfg, ck, data) {
		return ck.UNet().Model, nil
	}
	var pcg rand.PCG
	pipeline.Seed(&pcg, o.Seed, pipeline.StreamInit, 0, 0)
	made, err := unet.New(cfg, isa, rand.New(&pcg))
	if err != nil {
		return nil, err
	}
	from, to := ck.UNet().Params(), made.Params()
	for _, p := range to.List {
		if had := from.Lookup(p.Name); had != nil && p.Name != labelWeights && slices.Equal(had.Shape, p.Shape) {
			copy(p.Of(to.Values), had.Of(from.Values))
		}
	}
	if cfg.InChannels != old.InChannels {
		startChannels(made, ck)
	}
	startRows(made, ck)
	kept := 0
	if !otherClusters {
		kept = keepRows(made, ck, data.Classes())
	}
	made.Repack(0, 1)
	o.noteAdapted(old, cfg, kept)
	return made, nil
}

// sameClasses reports whether rows of the label embedding mean the same in a checkpoint and in the
// data. Those of a checkpoint that does not name its classes are taken as they are.
func sameClasses(cfg unet.Config, ck *model.Checkpoint, data dataset.Source) bool {
	return cfg.NumClasses == 0 || len(ck.Meta.Classes) == 0 || slices.Equal(ck.Meta.Classes, data.Classes())
}

// startRows lets a network of other classes begin as the network of a checkpoint for no class: that
// row, or the mean of all rows where it has no such row, becomes the row of each class. A network
// without classes has it in the bias that is added to the embedding.
func startRows(made *unet.Model, ck *model.Checkpoint) {
	from, to, old := ck.UNet().Params(), made.Params(), ck.UNet().Config()
	had := from.Lookup(labelWeights)
	if had == nil {
		return
	}
	width := had.Shape[1]
	rows, usual := had.Of(from.Values), make([]float32, width)
	if old.NullClass {
		copy(usual, rows[old.Classes()*width:])
	} else {
		for i, v := range rows {
			usual[i%width] += v / float32(old.NumClasses)
		}
	}
	has := to.Lookup(labelWeights)
	if has == nil {
		bias := to.Lookup("time_embed.2.bias").Of(to.Values)
		for i, v := range usual {
			bias[i] += v
		}
		return
	}
	for row := has.Of(to.Values); len(row) >= width; row = row[width:] {
		copy(row, usual)
	}
}

// keepRows takes over the rows of classes that have the same name, and that of "no class". It
// returns how many classes these are.
func keepRows(made *unet.Model, ck *model.Checkpoint, classes []string) (kept int) {
	from, to, cfg := ck.UNet().Params(), made.Params(), made.Config()
	had, has := from.Lookup(labelWeights), to.Lookup(labelWeights)
	if had == nil || has == nil {
		return 0
	}
	width, old := has.Shape[1], ck.UNet().Config()
	copyRow := func(row, of int) {
		copy(has.Of(to.Values)[row*width:(row+1)*width], had.Of(from.Values)[of*width:(of+1)*width])
	}
	for row, of := range model.MatchClasses(classes, ck.Meta.Classes) {
		if of >= 0 && of < old.Classes() && row < cfg.Classes() {
			copyRow(row, of)
			kept++
		}
	}
	if cfg.NullClass && old.NullClass {
		copyRow(cfg.Classes(), old.Classes())
	}
	return kept
}

// noteAdapted says what was taken over. kept is the number of classes that were.
func (o *Options) noteAdapted(old, cfg unet.Config, kept int) {
	var parts []string
	if cfg.ImageSize != old.ImageSize {
		parts = append(parts, "for images of "+shapeOf(cfg).Size().Sides()+" instead of "+shapeOf(old).Size().Sides())
	}
	if cfg.InChannels != old.InChannels {
		parts = append(parts, channelsNote(cfg, old))
	}
	switch classes := text.Count(cfg.Classes(), "class", "classes"); {
	case cfg.NumClasses == 0 && old.NumClasses > 0:
		parts = append(parts, "without its "+text.Count(old.Classes(), "class", "classes"))
	case cfg.NumClasses > 0 && kept == 0:
		parts = append(parts, "but its classes: the "+classes+" of the data begin as no class does")
	case kept == cfg.Classes() && kept < old.Classes():
		parts = append(parts, fmt.Sprintf("with %d of its %s", kept, text.Count(old.Classes(), "class", "classes")))
	case cfg.NumClasses > 0 && kept < cfg.Classes():
		parts = append(parts, "with "+text.Count(kept, "class", "classes")+" of the same name: the other "+
			text.Count(cfg.Classes()-kept, "class begins", "classes begin")+" as no class does")
	}
	if len(parts) == 0 {
		parts = append(parts, "with its classes in the order of the data")
	}
	o.Note("the weights of %s are taken over, %s", o.Init, strings.Join(parts, ", "))
}
