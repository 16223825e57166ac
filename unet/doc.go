// Package unet is the network: the guided-diffusion U-Net (Dhariwal and Nichol, 2021) as a velocity
// field v(x, t, y). Its parameters have the names and shapes of the PyTorch state dict.
//
// A flow map is the same network with a second embedding, jump_embed, of the length δ of a jump. It
// is the mean velocity u(x, t, δ, y) over the jump. jump_embed adds zero until it is trained.
//
// A [Model] owns the configuration and the parameters. A [Replica] owns the activations of one
// worker. Images are [N, H, W, C] float32, channels contiguous. t is in [0, 1]. y are rows of
// label_emb.
//
//	input_blocks:  conv ─ res ─ down ─ res ─ down ─ res+attention ─┐
//	                │      │     │      │     │         │        middle_block: res, attention, res
//	output_blocks: res ─ res ── res+up ─ res ─ res+attention+up ─ res+attention ─┘
//	                │
//	out:           norm, SiLU, conv
//
// Each output block reads [h, skip]: h is the result of the module before, and skip that of the
// output block's partner among the input blocks.
package unet
