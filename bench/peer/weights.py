"""Writes safetensors files, which fmimg reads."""

import json
import os
import struct

import torch

TYPES = {torch.float32: ("F32", "<f4"), torch.int64: ("I64", "<i8")}  # the file's name, and NumPy's


def write_safetensors(path, tensors, metadata):
    """Writes tensors of float32 or int64, a dictionary by name, in its order.

    The header is padded to a multiple of 8 bytes. The same tensors and metadata give the same
    bytes.
    """
    header, end = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.element_size() * tensor.numel()
        header[name] = {"dtype": TYPES[tensor.dtype][0], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with replaced(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.detach().contiguous().numpy().astype(TYPES[tensor.dtype][1]).tobytes())


class replaced:
    """A file that gets its name when all of it is written."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path + ".part", "wb")
        return self.file

    def __exit__(self, failed, *_):
        self.file.close()
        if not failed:
            os.replace(self.path + ".part", self.path)
