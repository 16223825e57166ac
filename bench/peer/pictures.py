"""Makes NumPy files of a folder of pictures, so that fmimg and PyTorch see the same bytes.

Each picture is laid over white and brought to the size. Every twentieth is held out, in the order
of the names. The folder OUT gets x_train.npy and x_test.npy, bytes [N,H,W,3]: fmimg train --data OUT
takes it, and torch_train.py --images OUT/x_train.npy. It needs Pillow.

    python3 pictures.py package/img/twitter/64 --size 32 --out emoji32
"""

import argparse
import glob
import os

import numpy as np
from PIL import Image

HELD_OUT = 20  # one of so many
FIRST = 7  # the first of them


def read(path, size):
    """The picture over white, bytes [size,size,3]."""
    picture = Image.open(path).convert("RGBA")
    over = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    over.alpha_composite(picture)
    over = over.convert("RGB")
    if over.size != (size, size):
        over = over.resize((size, size), Image.LANCZOS)
    return np.asarray(over)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="of square .png pictures")
    parser.add_argument("--size", type=int, default=32, help="pixels of a side")
    parser.add_argument("--out", required=True, metavar="DIR")
    a = parser.parse_args()
    paths = sorted(glob.glob(os.path.join(glob.escape(a.folder), "*.png")))
    if len(paths) < HELD_OUT:
        parser.error("%s: %d .png pictures, too few to hold some out" % (a.folder, len(paths)))
    pictures = np.stack([read(path, a.size) for path in paths])
    held = np.arange(len(pictures)) % HELD_OUT == FIRST
    os.makedirs(a.out, exist_ok=True)
    np.save(os.path.join(a.out, "x_train.npy"), pictures[~held])
    np.save(os.path.join(a.out, "x_test.npy"), pictures[held])
    print("%d pictures to train on, %d held out: %s" % ((~held).sum(), held.sum(), a.out))


if __name__ == "__main__":
    main()
