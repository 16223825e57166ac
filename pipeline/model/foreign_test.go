package model

import (
	"testing"

	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
	"github.com/fmimg/fmimg/unet/diffusers"
)

// The autoencoder of latent diffusion, whose convolutions are called as those of diffusers, is no
// second network beside the U-Net. Two networks of diffusers are two.
func TestOnePart(t *testing.T) {
	const own, encoder, decoder = "model.diffusion_model.", "first_stage_model.encoder.", "first_stage_model.decoder."
	file := func(names ...string) *safetensors.File {
		f := &safetensors.File{}
		for _, n := range names {
			f.Tensors = append(f.Tensors, safetensors.Tensor{Name: n})
		}
		return f
	}
	latent := file(own+unet.StemName, encoder+diffusers.StemName, decoder+diffusers.StemName)
	if took, err := onePart(latent, ""); took != "" || err != nil || isDiffusers(latent) {
		t.Errorf("latent diffusion: %q, %v, of diffusers: %v", took, err, isDiffusers(latent))
	}
	two := file(encoder+diffusers.StemName, decoder+diffusers.StemName)
	if _, err := onePart(two, ""); err == nil || !isDiffusers(two) {
		t.Errorf("two networks: %v, of diffusers: %v", err, isDiffusers(two))
	}
}
