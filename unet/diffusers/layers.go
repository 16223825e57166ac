package diffusers

import "fmt"

// network takes over all layers.
func (t *translation) network() {
	ch := t.cfg.ModelChannels
	first := t.cfg.ChannelMult[0] * ch
	t.layer("time_embed.0", "time_embedding.linear_1", 4*ch, ch)
	t.layer("time_embed.2", "time_embedding.linear_2", 4*ch, 4*ch)
	if n := t.cfg.NumClasses; n > 0 {
		t.copy("label_emb.weight", "class_embedding.weight", n, 4*ch)
	}
	t.layer("input_blocks.0.0", "conv_in", first, t.cfg.InChannels, 3, 3)
	down, up := t.cfg.Blocks()
	part := counter{}
	for _, b := range down {
		theirs := fmt.Sprintf("down_blocks.%d", b.Level)
		if b.Residual {
			n := part.next(theirs)
			t.residual(b.Name+".0", fmt.Sprintf("%s.resnets.%d", theirs, n), b.In, b.Out)
			if b.Attention {
				t.attention(b.Name+".1", fmt.Sprintf("%s.attentions.%d", theirs, n), b.Out, t.missing(b.Level, false))
			}
		}
		if b.Resample != "" {
			t.layer(b.Resample, theirs+".downsamplers.0.conv", b.Out, b.Out, 3, 3)
		}
	}
	lowest := down[len(down)-1].Out
	t.middle(lowest)
	for _, b := range up {
		theirs := fmt.Sprintf("up_blocks.%d", len(t.cfg.ChannelMult)-1-b.Level)
		n := part.next(theirs)
		t.residual(b.Name+".0", fmt.Sprintf("%s.resnets.%d", theirs, n), b.In, b.Out)
		if b.Attention {
			t.attention(b.Name+".1", fmt.Sprintf("%s.attentions.%d", theirs, n), b.Out, t.missing(b.Level, true))
		}
		if b.Resample != "" {
			t.layer(b.Resample, theirs+".upsamplers.0.conv", b.Out, b.Out, 3, 3)
		}
	}
	t.layer("out.0", "conv_norm_out", first)
	t.head(first)
}

// A counter counts the blocks of each name.
type counter map[string]int

func (c counter) next(name string) int {
	c[name]++
	return c[name] - 1
}

// head takes over the last convolution. Where it has twice as many channels as an image, the second
// half is the variance that a diffusion model learned, which nothing here needs.
func (t *translation) head(channels int) {
	in := t.cfg.InChannels
	if t.outputs == in {
		t.layer("out.2", "conv_out", in, channels, 3, 3)
		return
	}
	w, b := t.take("conv_out.weight", t.outputs, channels, 3, 3), t.take("conv_out.bias", t.outputs)
	if w == nil || b == nil {
		return
	}
	if w = w[:in*channels*9]; t.cfg.Turned {
		w = turned(w)
	}
	t.put("out.2.weight", w, in, channels, 3, 3)
	t.put("out.2.bias", b[:in], in)
}

// middle takes over the middle block. One that is missing adds nothing.
func (t *translation) middle(channels int) {
	residual := t.residual
	if t.noMiddle {
		residual = func(ours, _ string, _, _ int) { t.noResidual(ours, channels) }
	}
	residual("middle_block.0", "mid_block.resnets.0", channels, channels)
	t.attention("middle_block.1", "mid_block.attentions.0", channels, t.noMiddle || t.noMiddleAttention)
	residual("middle_block.2", "mid_block.resnets.1", channels, channels)
}

// residual takes over a residual block.
func (t *translation) residual(ours, theirs string, in, out int) {
	t.layer(ours+".in_layers.0", theirs+".norm1", in)
	t.layer(ours+".in_layers.2", theirs+".conv1", out, in, 3, 3)
	t.layer(ours+".emb_layers.1", theirs+".time_emb_proj", t.rows(out), 4*t.cfg.ModelChannels)
	t.layer(ours+".out_layers.0", theirs+".norm2", out)
	t.layer(ours+".out_layers.3", theirs+".conv2", out, out, 3, 3)
	if in != out {
		t.layer(ours+".skip_connection", theirs+".conv_shortcut", out, in, 1, 1)
	}
}

// rows returns how many numbers of the embedding a residual block takes.
func (t *translation) rows(channels int) int {
	if t.cfg.UseScaleShiftNorm {
		return 2 * channels
	}
	return channels
}

// attention takes over an attention block. One that is missing there adds nothing here.
func (t *translation) attention(ours, theirs string, c int, missing bool) {
	if missing {
		t.noAttention(ours, c)
		return
	}
	t.layer(ours+".norm", theirs+".group_norm", c)
	parts := [3]string{theirs + ".to_q", theirs + ".to_k", theirs + ".to_v"}
	if t.back {
		t.split(ours+".qkv", parts, c)
	} else {
		t.join(ours+".qkv", parts, c)
	}
	t.linearToPoint(ours+".proj_out", theirs+".to_out.0", c)
}

// linearToPoint takes over a linear layer that is a convolution of one pixel here.
func (t *translation) linearToPoint(ours, theirs string, c int) {
	from, to := t.names(ours, theirs)
	shapes := [2][]int{{c, c}, {c, c, 1}}
	if t.back {
		shapes[0], shapes[1] = shapes[1], shapes[0]
	}
	t.put(to+".weight", t.take(from+".weight", shapes[0]...), shapes[1]...)
	t.copy(ours+".bias", theirs+".bias", c)
}

// join makes one matrix of those of query, key and value: the rows of a head are together.
func (t *translation) join(ours string, parts [3]string, c int) {
	each := c / t.cfg.Heads(c)
	weight, bias := make([][]float32, 3), make([][]float32, 3)
	for i, name := range parts {
		weight[i], bias[i] = t.take(name+".weight", c, c), t.take(name+".bias", c)
		if weight[i] == nil || bias[i] == nil {
			return
		}
	}
	var w, b []float32
	for first := 0; first < c; first += each {
		for i := range parts {
			w = append(w, weight[i][first*c:(first+each)*c]...)
			b = append(b, bias[i][first:first+each]...)
		}
	}
	t.put(ours+".weight", w, 3*c, c, 1)
	t.put(ours+".bias", b, 3*c)
}

// split undoes join.
func (t *translation) split(ours string, parts [3]string, c int) {
	each := c / t.cfg.Heads(c)
	w, b := t.take(ours+".weight", 3*c, c, 1), t.take(ours+".bias", 3*c)
	for i, name := range parts {
		var weight, bias []float32
		for first := i * each; first < 3*c; first += 3 * each {
			weight = append(weight, w[first*c:(first+each)*c]...)
			bias = append(bias, b[first:first+each]...)
		}
		t.put(name+".weight", weight, c, c)
		t.put(name+".bias", bias, c)
	}
}

// noAttention makes an attention block that adds nothing.
func (t *translation) noAttention(ours string, c int) {
	if !t.plausible() {
		return
	}
	t.ones(ours+".norm", c)
	t.zeros(ours+".qkv", 3*c, c, 1)
	t.zeros(ours+".proj_out", c, c, 1)
}

// noResidual makes a residual block that adds nothing.
func (t *translation) noResidual(ours string, c int) {
	if !t.plausible() {
		return
	}
	t.ones(ours+".in_layers.0", c)
	t.zeros(ours+".in_layers.2", c, c, 3, 3)
	t.zeros(ours+".emb_layers.1", t.rows(c), 4*t.cfg.ModelChannels)
	t.ones(ours+".out_layers.0", c)
	t.zeros(ours+".out_layers.3", c, c, 3, 3)
}

// plausible reports whether the tensors so far were those of the configuration. A block that is
// made is no larger than some of those before it then, so that memory grows with the file alone.
func (t *translation) plausible() bool { return len(t.bad) == 0 }

func (t *translation) zeros(name string, shape ...int) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	t.put(name+".weight", make([]float32, n), shape...)
	t.put(name+".bias", make([]float32, shape[0]), shape[0])
}

func (t *translation) ones(name string, c int) {
	gain := make([]float32, c)
	for i := range gain {
		gain[i] = 1
	}
	t.put(name+".weight", gain, c)
	t.put(name+".bias", make([]float32, c), c)
}
