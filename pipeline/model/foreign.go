package model

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fmimg/fmimg/internal/filekind"
	"github.com/fmimg/fmimg/internal/option"
	"github.com/fmimg/fmimg/internal/torchfile"
	"github.com/fmimg/fmimg/safetensors"
	"github.com/fmimg/fmimg/unet"
	"github.com/fmimg/fmimg/unet/diffusers"
)

// importIt turns a file of another program into a model.
var importIt = option.Action{Command: "model import"}

// Weights reads the tensors of a file of weights, which may be one of PyTorch's torch.save. Where
// such a file holds several networks, part names the one to take, as the error lists them; empty:
// the averages, where one of two networks is called so. took says which one was taken; it is empty
// where there is one only.
func (f *OpenedFile) Weights(part string) (tensors *safetensors.File, took string, err error) {
	if ListsParts(f.name) {
		tensors, err = f.parts()
		return tensors, "", err
	}
	if at := f.torch(); at != nil {
		return f.torchWeights(at, part)
	}
	if tensors, err = safetensors.Read(f.File); err != nil {
		return nil, "", err
	}
	if _, ok := tensors.Metadata[StateKey]; ok && part == "" {
		return tensors, "", nil // the state of a run: nothing in it is a model
	}
	took, err = onePart(tensors, part)
	return tensors, took, err
}

// torch returns the file where it is one of PyTorch's, else nil.
func (f *OpenedFile) torch() io.ReaderAt {
	at, ok := f.File.(io.ReaderAt)
	if !ok {
		return nil
	}
	head := make([]byte, filekind.HeadSize)
	n, err := at.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil // the reader of the file says what is wrong
	}
	if what, _ := filekind.Of(head[:n]); what != filekind.Torch {
		return nil
	}
	return at
}

// errTorch says what to do with PyTorch's weights where a model is needed.
func errTorch(path string) error {
	return option.Faultf("%s: it is %s, whose weights do not say what they draw", path, filekind.Torch).
		Cured("make a model of it with %v, or train on from it with %v", importIt, trainFromIt)
}

// onePart takes one of several networks that stand in a file under names of their own.
func onePart(f *safetensors.File, part string) (took string, err error) {
	list := byStem(func(stem string) (list []network) {
		for i := range f.Tensors {
			if prefix, ok := stemPrefix(f.Tensors[i].Name, stem); ok {
				list = append(list, network{name: strings.TrimSuffix(prefix, "."), prefix: prefix})
			}
		}
		return list
	})
	if len(list) < 2 && part == "" {
		return "", nil
	}
	n, err := choose(list, part)
	if err != nil {
		return "", err
	}
	f.Tensors = slices.DeleteFunc(f.Tensors, func(t safetensors.Tensor) bool { return !n.has(list, t.Name) })
	return n.name, nil
}

// byStem returns the networks that find finds by the name of the first convolution: those of this
// U-Net, and only where there is none those of diffusers. Files of latent diffusion have an
// autoencoder too, whose first convolution is called as that of diffusers.
func byStem(find func(stem string) []network) []network {
	if own := find(unet.StemName); len(own) > 0 {
		return own
	}
	return find(diffusers.StemName)
}

// stemPrefix returns what stands before the name of the first convolution. ok is false for other
// names.
func stemPrefix(name, stem string) (prefix string, ok bool) {
	return strings.TrimSuffix(name, stem), isStem(name, stem)
}

// isStem reports whether a name is that of the first convolution, behind a prefix or none.
func isStem(name, stem string) bool { return name == stem || strings.HasSuffix(name, "."+stem) }

// A network is a U-Net in a file that holds more.
type network struct {
	name   string          // for people
	dict   *torchfile.Dict // where it stands in a file of PyTorch
	prefix string          // of the names of its tensors
}

// has reports whether a tensor is one of the network's, among the networks of its dictionary.
func (n network) has(list []network, tensor string) bool {
	if !strings.HasPrefix(tensor, n.prefix) {
		return false
	}
	return !slices.ContainsFunc(list, func(m network) bool { // a longer prefix is that of another
		return m.dict == n.dict && len(m.prefix) > len(n.prefix) && strings.HasPrefix(tensor, m.prefix)
	})
}

// torchWeights reads the tensors of a network from a file of PyTorch.
func (f *OpenedFile) torchWeights(r io.ReaderAt, part string) (*safetensors.File, string, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	file, err := torchfile.Read(r, info.Size())
	if err != nil {
		return nil, "", err
	}
	list := networksIn(file)
	if len(list) == 0 {
		return nil, "", fmt.Errorf("none of its dictionaries (%s) holds the tensors of this U-Net, such as %s",
			dictNames(file), unet.StemName)
	}
	n, err := choose(list, part)
	if err != nil {
		return nil, "", err
	}
	tensors, err := n.load(file, list)
	took := n.name
	if len(list) == 1 {
		took = ""
	}
	return tensors, took, err
}

// networksIn finds the U-Nets in a file of PyTorch.
func networksIn(file *torchfile.File) []network {
	return byStem(func(stem string) (list []network) {
		for i := range file.Dicts {
			d := &file.Dicts[i]
			for _, t := range d.Tensors {
				if prefix, ok := stemPrefix(t.Name, stem); ok {
					list = append(list, network{strings.Trim(d.Path+"."+prefix, "."), d, prefix})
				}
			}
		}
		return list
	})
}

// dictNames lists the dictionaries of a file of PyTorch, for an error.
func dictNames(file *torchfile.File) string {
	var names []string
	for _, d := range file.Dicts {
		if len(names) == 8 {
			names = append(names, "…")
			break
		}
		name := d.Path
		if name == "" {
			name = "the file itself"
		}
		names = append(names, fmt.Sprintf("%.60s", name))
	}
	return strings.Join(names, ", ")
}

// choose returns the network that part names, or the one to take where it is empty.
func choose(list []network, part string) (network, error) {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	if part != "" {
		if i := slices.Index(names, part); i >= 0 {
			return list[i], nil
		}
		return network{}, option.Errorf("part", part, "the file has %s", strings.Join(names, ", "))
	}
	if len(list) == 1 {
		return list[0], nil
	}
	var averages []network
	for _, n := range list {
		if strings.Contains(strings.ToLower(n.name), "ema") {
			averages = append(averages, n)
		}
	}
	if len(averages) == 1 {
		return averages[0], nil
	}
	return network{}, option.Faultf("it holds several networks: %s", strings.Join(names, ", ")).
		Cured("name one to %v", option.Action{Command: importIt.Command, Settings: []option.Setting{{Option: "part", Value: names[0]}}})
}

// load reads the tensors of a network, without its prefix. Tensors of other names stay behind.
func (n network) load(file *torchfile.File, list []network) (*safetensors.File, error) {
	var tensors []torchfile.Tensor
	for _, t := range n.dict.Tensors {
		if n.has(list, t.Name) {
			tensors = append(tensors, t)
		}
	}
	values, err := file.Load(tensors)
	if err != nil {
		return nil, err
	}
	out := &safetensors.File{}
	for i, t := range tensors {
		out.Tensors = append(out.Tensors, safetensors.Tensor{
			Name: strings.TrimPrefix(t.Name, n.prefix), DType: safetensors.F32, Shape: t.Shape, F32: values[i],
		})
	}
	return out, nil
}
