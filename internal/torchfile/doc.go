// Package torchfile reads the tensors of files that PyTorch's torch.save writes: .pt, .pth, .ckpt
// and .bin, as zip archives and in the older layout of pickles one after the other. Nothing that a
// file asks for is run: it is read as data (package pickle), and a file with objects of other kinds
// than PyTorch's own is refused by their names.
//
// A file holds dictionaries, some of which hold tensors: a network's state dict, its averages, an
// optimiser's state. [Read] finds them all, and [File.Load] reads the numbers of one.
package torchfile
