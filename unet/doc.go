// Package unet is the network: the guided-diffusion U-Net (Dhariwal and Nichol, 2021) as a velocity
// field v(x, t, y), with the parameter names and shapes of its PyTorch state dict; or, with an embedding of δ
// beside that of t, as the mean velocity u(x, t, δ, y) over a jump (jump_embed, which is zero at first).
//
// A [Model] owns the configuration and the parameters; a [Replica] the activations of one worker.
// Images are [N, H, W, C] float32, channels contiguous; t is in [0, 1]; y are rows of label_emb.
//
//	input_blocks:  conv ─ res ─ down ─ res ─ down ─ res+attention ─┐
//	                │      │     │      │     │         │        middle_block: res, attention, res
//	output_blocks: res ─ res ── res+up ─ res ─ res+attention+up ─ res+attention ─┘
//	                │
//	out:           norm, SiLU, conv
//
// Each output block reads [h, skip], the skip being the result of its input block.
package unet
