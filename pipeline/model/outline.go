package model

import (
	"errors"
	"fmt"
	"io"

	"github.com/fmimg/fmimg/realnvp"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
)

// ReadOutline reads what the header of a checkpoint, in safetensors, says of it: a checkpoint
// without weights, which settles methods and cannot evaluate anything. path is for messages.
func ReadOutline(r io.Reader, path string) (*Checkpoint, error) {
	f, err := safetensors.ReadHeader(r)
	if err != nil {
		return nil, modelError(path, err)
	}
	ck, err := outlineOf(f)
	if errors.Is(err, unet.ErrNoConfig) {
		err = noConfig(f)
	}
	if err != nil {
		return nil, modelError(path, err)
	}
	ck.Path = path
	return ck, nil
}

// outlineOf builds the checkpoint of a header.
func outlineOf(f *safetensors.File) (*Checkpoint, error) {
	meta, err := parseMeta(f.Metadata)
	if err != nil {
		return nil, err
	}
	if realnvp.Holds(f) {
		cfg, err := realnvp.FileConfig(f)
		if err != nil {
			return nil, err
		}
		net, err := realnvp.Outline(cfg)
		return &Checkpoint{Network: &NormalizingFlow{Model: net}, Meta: meta}, err
	}
	cfg, err := unet.FileConfig(f)
	if err != nil {
		return nil, err
	}
	if meta.Objective == FlowObjective {
		return nil, notFlow()
	}
	net, err := unet.Outline(cfg)
	if err != nil {
		return nil, err
	}
	u, err := meta.network(net)
	return &Checkpoint{Network: u, Meta: meta}, err
}

// notFlow is the error of a U-Net whose metadata is that of a normalizing flow.
func notFlow() error {
	return fmt.Errorf("metadata %s: objective %s, and the network is no normalizing flow", MetaKey, FlowObjective)
}

// network returns the network that draws of a model that the metadata is about.
func (m Meta) network(net *unet.Model) (*UNet, error) {
	predicts, err := m.Prediction()
	if err != nil {
		return nil, err
	}
	if err := m.checkCounts(labelsOf(net.Config())); err != nil {
		return nil, err
	}
	u := NewUNet(net, predicts, m.allowedJumps())
	u.SetGuidance(m.guidance(net.Config().FlowMap))
	if m.Clusters != nil {
		u.led = DefaultClusterGuideWeight
	}
	return u, nil
}
