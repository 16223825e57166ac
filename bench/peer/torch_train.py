"""Trains the same network in PyTorch, on the same images and with the settings of fmimg train.

It answers how good the images are after some minutes of training. "make peer-quality" trains with
this script. fmimg then draws with the weights, and scores the images as "make quality" scores its
own.

The network is torchcfm's, see torch_unet.py. Optimiser, schedule, times, averages and labels are
those of "fmimg train --data mnist". The script writes into the folder OUT: log.jsonl with a line
for each step, and for each MARK and for the end weights-MARK.safetensors, the averaged weights,
which fmimg reads. Alone:

    CFM=conditional-flow-matching python3 torch_train.py --minutes 30 --threads 2 --out runs/torch

Other images without labels come from one .npy file, bytes [N,H,W] or [N,H,W,C]:

    CFM=… python3 torch_train.py --images emoji/x_train.npy --flip --minutes 20 --threads 2 --out runs/torch-emoji
"""

import argparse
import copy
import gzip
import json
import math
import os
import struct
import sys
import time

import numpy as np
import torch

from muon import Muon, takes
from torch_unet import PRESETS, unet
from weights import write_safetensors

RATES = {"adamw": 0.002, "muon": 0.004}
CLASSES = 10
NULL_CLASS = CLASSES  # the last row of label_emb means "no class"
WARMUP = 50  # steps, but at most a tenth of the run
PAIRED = 256  # images that optimal transport pairs at once, from several batches
FIRST_ESTIMATE = 3  # steps after which a run by time estimates how many it will take
HORIZON = 50  # steps over which the running means of loss and of seconds look back
PROGRESS_EVERY = 10  # seconds
MNIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dataset", "mnist")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="budget: time of training, without saving and compiling")
    budget.add_argument("--steps", type=int, help="budget: number of batches")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, which holds no run yet")
    parser.add_argument("--data", default=MNIST, metavar="DIR", help="folder of MNIST's *-ubyte.gz, or of its kin's")
    parser.add_argument("--images", metavar="FILE", help="train without labels on bytes [N,H,W,C] of a .npy file")
    parser.add_argument("--flip", action="store_true", help="mirror each image with a chance of a half, left to right")
    parser.add_argument("--marks", default="", metavar="M,M,…", help=(
        "minutes after which to save as well. The learning rate falls to zero at the end of the budget alone: "
        "weights of a mark draw worse images than those of a run that ends there"))
    parser.add_argument("--preset", choices=PRESETS, default="base")
    parser.add_argument("--batch", type=int, default=64, help="images of a step")
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="muon", help=(
        "muon: Muon for matrices, and AdamW for the rest"))
    parser.add_argument("--lr", type=float, help=(
        "peak learning rate (%s)" % ", ".join("%g with %s" % (r, o) for o, r in RATES.items())))
    parser.add_argument("--coupling", choices=["independent", "ot"], default="ot", help=(
        "pairs of noise and image: as drawn, or those with the shortest paths within each class (needs SciPy)"))
    parser.add_argument("--time-scale", type=float, default=1000, help="factor on the time before the network")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights")
    parser.add_argument("--label-drop", type=float, default=0.1, help="share of the labels to leave out")
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--clip", type=float, default=1, help="largest norm of a gradient")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="torch.compile, which PyTorch has from 2.0 on")
    parser.add_argument("--channels-last", action="store_true", help="NHWC in memory")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: autocast to bfloat16")
    a = parser.parse_args()
    a.lr = RATES[a.optimizer] if a.lr is None else a.lr
    try:
        a.marks = sorted({float(mark) for mark in a.marks.split(",") if mark.strip()})
    except ValueError:
        parser.error("--marks %s: minutes such as 2,5,10 are needed" % a.marks)
    if a.coupling == "ot":
        try:
            import scipy.optimize  # noqa: F401
        except ImportError:
            parser.error("--coupling ot needs SciPy: pip install scipy, or --coupling independent")
    if min(a.minutes if a.steps is None else a.steps, a.batch, a.threads, *a.marks, 1) <= 0:
        parser.error("--minutes, --steps, --marks, --batch and --threads take numbers above 0")
    return a


def read_idx(path):
    """The array of bytes in an IDX file that is compressed with gzip."""
    with gzip.open(path) as file:
        zero, kind, dimensions = struct.unpack(">HBB", file.read(4))
        if zero != 0 or kind != 8:
            sys.exit("%s: no IDX file of bytes" % path)
        shape = struct.unpack(">%dI" % dimensions, file.read(4 * dimensions))
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


def read_mnist(folder):
    """The training images, bytes [N,28,28], and their labels, [N]."""
    images, labels = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    return read_idx(os.path.join(folder, images)), read_idx(os.path.join(folder, labels))


def read_images(path):
    """Images without labels, bytes [N,H,W] or [N,H,W,C], and labels of 0, [N]."""
    images = np.load(path)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or len(images) == 0:
        sys.exit("%s: needed are bytes [N,H,W] or [N,H,W,C], not %s %s" % (path, images.dtype, images.shape))
    return images, np.zeros(len(images), np.int64)


class Batches:
    """Batches of images in [-1,1], [B,C,H,W], and labels, in a new order in each epoch.

    A batch that reaches the end of an epoch goes on with the next epoch. Images are [N,H,W] or
    [N,H,W,C]. With flip each one is mirrored with a chance of a half.
    """

    def __init__(self, images, labels, size, flip, generator):
        if images.ndim == 3:
            images = images[..., None]
        self.images = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
        self.labels = torch.from_numpy(labels.astype(np.int64))
        self.size, self.flip, self.generator = size, flip, generator
        self.order = torch.empty(0, dtype=torch.int64)

    def shape(self):
        """Channels, height and width."""
        return tuple(self.images.shape[1:])

    def next(self):
        while len(self.order) < self.size:
            epoch = torch.randperm(len(self.labels), generator=self.generator)
            self.order = torch.cat([self.order, epoch])
        index, self.order = self.order[:self.size], self.order[self.size:]
        images = self.images[index]
        if self.flip:
            mirrored = torch.rand(self.size, generator=self.generator) < 0.5
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return images, self.labels[index]


class Clock:
    """Measures how much of the budget is used, and estimates the steps, for the learning rate."""

    def __init__(self, minutes, steps):
        self.limit, self.steps = minutes and 60 * minutes, steps
        self.step, self.seconds, self.mean = 0, 0.0, 0.0

    def add(self, seconds):
        self.step += 1
        self.seconds += seconds
        self.mean += max(1 / self.step, 1 / HORIZON) * (seconds - self.mean)

    def over(self):
        return self.step >= self.steps if self.steps else self.seconds >= self.limit

    def progress(self):
        """The share of the run that is done."""
        return self.step / self.steps if self.steps else min(self.seconds / self.limit, 1)

    def total(self):
        """The steps of the whole run, None while they cannot be estimated."""
        if self.steps:
            return self.steps
        known = self.step >= FIRST_ESTIMATE or self.seconds >= self.limit / 4
        return round(self.step + max(self.limit - self.seconds, 0) / self.mean) if known else None

    def rate(self, peak):
        """The learning rate: a linear warm-up, times half a cosine over the budget."""
        total = self.total()
        warmup = WARMUP if total is None else min(WARMUP, total // 10)
        ramp = 1 if self.step >= warmup else (self.step + 1) / warmup
        return peak * ramp * (1 + math.cos(math.pi * self.progress())) / 2


class Average:
    """A running average of a network's parameters, in a network of its own."""

    def __init__(self, net, decay):
        self.net = copy.deepcopy(net).requires_grad_(False).eval()
        self.decay, self.steps = decay, 0
        self.own, self.source = list(self.net.parameters()), list(net.parameters())

    @torch.no_grad()
    def update(self):
        """Adds the parameters after a step. Early averages look back over a tenth of the steps."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_mul_(self.own, decay)
        torch._foreach_add_(self.own, self.source, alpha=1 - decay)


def shortest(x0, x1, y):
    """The noise in the order that makes the sum of its squared distances to the images least.

    Noise stays within the class of its image.
    """
    from scipy.optimize import linear_sum_assignment

    products = x1.flatten(1) @ x0.flatten(1).T
    order = torch.empty(len(y), dtype=torch.int64)
    for label in y.unique():
        same = (y == label).nonzero()[:, 0]
        _, columns = linear_sum_assignment(products[same][:, same].numpy(), maximize=True)
        order[same] = same[torch.from_numpy(columns)]
    return x0[order]


class Trainer:
    """The network, its optimisers and its random numbers."""

    def __init__(self, a):
        self.a = a
        torch.manual_seed(a.seed)
        self.generator = torch.Generator().manual_seed(a.seed)
        self.layout = torch.channels_last if a.channels_last else torch.contiguous_format
        images, labels = read_images(a.images) if a.images else read_mnist(a.data)
        self.batches = Batches(images, labels, a.batch, a.flip, self.generator)
        channels, height, width = self.batches.shape()
        if height != width or height % 4 != 0:
            sys.exit("images of %dx%d: needed are squares, and sides that are multiples of 4" % (width, height))
        self.net = unet(a.preset, height, channels, not a.images).to(memory_format=self.layout)
        self.average = Average(self.net, a.ema)
        self.run = torch.compile(self.net) if a.compile else self.net
        self.paired = []  # batches that are paired but not used yet
        named = list(self.net.named_parameters())
        matrices = [p for name, p in named if a.optimizer == "muon" and takes(name, p)]
        taken = {id(p) for p in matrices}
        self.optimisers = [torch.optim.AdamW(
            [p for _, p in named if id(p) not in taken], a.lr, betas=(0.9, 0.99), eps=1e-8,
            weight_decay=a.weight_decay, foreach=True)]
        if matrices:
            self.optimisers.append(Muon(matrices, a.lr, a.weight_decay))
        self.clock = Clock(a.minutes, a.steps)

    def pairs(self):
        """The next noise, images and labels. Optimal transport pairs several batches at once."""
        if not self.paired:
            transport = self.a.coupling == "ot"
            drawn = [self.batches.next() for _ in range(max(PAIRED // self.a.batch, 1) if transport else 1)]
            x1, y = (torch.cat(part) for part in zip(*drawn))
            x0 = torch.randn(x1.shape, generator=self.generator)
            if transport:
                x0 = shortest(x0, x1, y)
            self.paired = list(zip(*(part.split(self.a.batch) for part in (x0, x1, y))))
        return self.paired.pop(0)

    def loss(self, x0, x1, y):
        """The mean of (v(x_t, t, y) - (x1 - x0))², x_t on the line from noise x0 to images x1."""
        n, g = len(x1), self.generator
        # [0, 1] is cut into a stratum for each image, so that the loss varies less between steps.
        t = (torch.arange(n) + torch.rand(n, generator=g)) / n
        y = None if self.a.images else y.masked_fill(torch.rand(n, generator=g) < self.a.label_drop, NULL_CLASS)
        s = t[:, None, None, None]
        xt = ((1 - s) * x0 + s * x1).to(memory_format=self.layout)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.a.precision == "bf16"):
            v = self.run(t * self.a.time_scale, xt, y)
        return ((v.float() - (x1 - x0)) ** 2).mean()

    def prepare(self):
        """Runs a pass whose gradients are not used: it compiles, and takes the memory of a step."""
        images = torch.zeros(self.a.batch, *self.batches.shape())
        self.loss(images, images, torch.zeros(self.a.batch, dtype=torch.int64)).backward()

    def step(self):
        """Trains on a batch and returns its loss and the learning rate."""
        begin = time.perf_counter()
        rate = self.clock.rate(self.a.lr)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
        loss = self.loss(*self.pairs())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.a.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        self.average.update()
        value = loss.item()
        self.clock.add(time.perf_counter() - begin)
        return value, rate


def config(preset, time_scale, shape, labelled):
    """The network's configuration for images of a shape, as in fmimg's unet.Config."""
    channels, blocks = PRESETS[preset]
    classes = {"num_classes": CLASSES + 1, "null_class": True} if labelled else {}
    return {
        "image_size": list(shape[1:]), "in_channels": shape[0], "model_channels": channels, "num_res_blocks": blocks,
        "channel_mult": [1, 2, 2], "attention_resolutions": [4], "num_heads": 1,
        "use_scale_shift_norm": True, "norm_groups": 32, "time_scale": time_scale, **classes,
    }


def report(text, *values):
    print(text % values, file=sys.stderr, flush=True)


class Run:
    """A run: its log, its progress on stderr, and the files that it writes."""

    def __init__(self, a, trainer):
        self.a, self.trainer, self.smooth = a, trainer, 0.0
        self.marks = [mark for mark in a.marks if a.minutes is None or mark < a.minutes]
        self.shown = 0.0  # training seconds at the last line of progress
        os.makedirs(a.out, exist_ok=True)
        try:
            self.log = open(os.path.join(a.out, "log.jsonl"), "x")
        except FileExistsError:
            sys.exit("%s holds a run already: remove it, or name another folder" % a.out)

    def train(self):
        clock = self.trainer.clock
        while not clock.over():
            loss, rate = self.trainer.step()
            if not math.isfinite(loss):
                sys.exit("step %d: the loss is %g: a lower learning rate than %g may help" % (
                    clock.step, loss, self.a.lr))
            self.note(loss, rate)
            while self.marks and clock.seconds >= 60 * self.marks[0] and not clock.over():
                self.save("%g" % self.marks.pop(0))
        self.save("%g" % self.a.minutes if self.a.minutes else "%dsteps" % self.a.steps)

    def note(self, loss, rate):
        """Logs a step, and reports progress every few seconds."""
        clock = self.trainer.clock
        self.smooth += max(min(1, 4 / (clock.step + 3)), 1 / HORIZON) * (loss - self.smooth)
        images = clock.step * self.a.batch
        line = {"step": clock.step, "seconds": round(clock.seconds, 3), "images": images, "loss": loss, "lr": rate}
        print(json.dumps(line), file=self.log)
        if clock.seconds - self.shown >= PROGRESS_EVERY or clock.over():
            self.shown = clock.seconds
            self.log.flush()
            report("step %d of %s, %d images, %.0f s, %.1f images/s, loss %.4f", clock.step, clock.total() or "?",
                   images, clock.seconds, images / clock.seconds, self.smooth)

    def save(self, mark):
        """Writes the averaged weights."""
        a = self.a
        metadata = {
            "format": "pt", "fmimg.config": json.dumps(
                config(a.preset, a.time_scale, self.trainer.batches.shape(), not a.images)),
            "fmimg.meta": json.dumps(self.meta()), "torch": torch.__version__,
        }
        path = os.path.join(a.out, "weights-%s.safetensors" % mark)
        write_safetensors(path, self.trainer.average.net.state_dict(), metadata)

    def meta(self):
        """The origin of the weights, with fmimg's keys."""
        a, step = self.a, self.trainer.clock.step
        return {
            "data": a.images or ("mnist" if a.data == MNIST else a.data),
            "steps": step, "images": step * a.batch, "seed": a.seed, "batch": a.batch,
            "classes": [] if a.images else [str(c) for c in range(CLASSES)], "pixel_range": [-1, 1],
            "path": "linear", "objective": "velocity", "time_dist": "uniform", "ema": a.ema, "loss": self.smooth,
        }


def main():
    a = arguments()
    torch.set_num_threads(a.threads)
    trainer = Trainer(a)
    run = Run(a, trainer)
    report("PyTorch %s, network %s of %d parameters, %d images, batch %d, %d threads", torch.__version__, a.preset,
           sum(p.numel() for p in trainer.net.parameters()), len(trainer.batches.labels), a.batch, a.threads)
    begin = time.perf_counter()
    trainer.prepare()
    report("prepared in %.1f s, which the budget does not count", time.perf_counter() - begin)
    run.train()
    clock = trainer.clock
    print(json.dumps({
        "torch": torch.__version__, "preset": a.preset, "batch": a.batch, "threads": a.threads, "compiled": a.compile,
        "channels_last": a.channels_last, "precision": a.precision, "steps": clock.step, "images": clock.step * a.batch, "seconds": clock.seconds,
        "images_per_s": clock.step * a.batch / clock.seconds, "loss": run.smooth, "out": a.out,
    }))


if __name__ == "__main__":
    main()
