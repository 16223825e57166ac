"""Measures the same network in PyTorch: torchcfm's own U-Net, configured as fmimg's preset.

It prints a JSON object that describes the run, and then one with images/s of training steps and of
forward passes for each round. They are medians of repeated calls. Training is measured with AdamW
alone, and with Muon for the matrices, by the faster of PyTorch's own Muon and one in float32. CFM
names a checkout of atong01/conditional-flow-matching. "make peer" runs this script and fmimg in
turn. Alone:

    CFM=conditional-flow-matching python3 torch_unet.py --threads 2 --compile --rounds 3
"""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import platform
import resource
import statistics
import sys
import time
import types

# Channels and blocks of each preset. Multipliers are torchcfm's for 28 pixels: 1, 2, 2. Attention
# is at a quarter of the pixels.
PRESETS = {"base": (32, 1), "large": (64, 2)}
LEAST_SAMPLES = 2
RATE = 1e-3  # a learning rate does not change the time of a step


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="base")
    parser.add_argument("--size", type=int, default=28, help="pixels of a side of an image")
    parser.add_argument("--channels", type=int, default=1, help="of an image")
    parser.add_argument("--batch", type=int, default=128, help="images of a step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--time", type=float, default=10, help="seconds of measurement, for each figure of a round")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="bf16: autocast to bfloat16")
    parser.add_argument("--compile", action="store_true", help="torch.compile, which PyTorch has from 2.0 on")
    parser.add_argument("--channels-last", action="store_true", help="NHWC in memory")
    parser.add_argument("--wait", action="store_true", help="wait for a line on stdin before each round")
    return parser.parse_args()


def unet_module(checkout):
    """torchcfm's unet.py without torchcfm's __init__ files, which import much more."""
    if not os.path.isfile(os.path.join(checkout, "torchcfm", "models", "unet", "unet.py")):
        sys.exit("CFM must name a checkout of https://github.com/atong01/conditional-flow-matching, not %r" % checkout)
    for name in ("torchcfm", "torchcfm.models"):
        package = types.ModuleType(name)
        package.__path__ = [os.path.join(checkout, *name.split("."))]
        sys.modules[name] = package
    from torchcfm.models.unet import unet as module

    return module


def unet(preset, size=28, channels=1, labelled=True):
    """The preset's network for images of a shape, in float32.

    It has eleven classes, and the last one means no class. It has none for images without labels.
    """
    width, blocks = PRESETS[preset]
    return unet_module(os.environ.get("CFM", "")).UNetModelWrapper(
        dim=(channels, size, size), num_channels=width, num_res_blocks=blocks, channel_mult=(1, 2, 2),
        attention_resolutions=str(size // 4), use_scale_shift_norm=True, class_cond=labelled, num_classes=11)


def forget_peak_memory():
    """Gives unused memory back, and lets the peak begin anew where the system can do that."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak_memory():
    """The most bytes that were resident.

    getrusage's figure may be that of the program before exec. Linux's own figure is used where it
    exists.
    """
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def seconds_of(call, budget):
    """Median seconds of a call. A call comes first that does not count."""
    call()
    samples = []
    end = time.perf_counter() + budget
    while len(samples) < LEAST_SAMPLES or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


class Bench:
    """The network with its optimisers, and a batch."""

    def __init__(self, a):
        import torch

        self.a, self.torch = a, torch
        torch.set_num_threads(a.threads)
        torch.manual_seed(0)
        layout = torch.channels_last if a.channels_last else torch.contiguous_format
        self.net = unet(a.preset, a.size, a.channels).to(memory_format=layout)
        self.run = torch.compile(self.net) if a.compile else self.net
        self.x1 = torch.randn(a.batch, a.channels, a.size, a.size).to(memory_format=layout)
        self.y = torch.randint(0, 11, (a.batch,))
        self.optimisers = {"adamw": [self.adamw(self.net.parameters())]}

    def adamw(self, params):
        return self.torch.optim.AdamW(params, RATE, foreach=True)

    def add_muon(self):
        """Chooses the faster Muon, and returns the milliseconds of a step of each. It needs gradients."""
        import muon

        named = list(self.net.named_parameters())
        matrices = [p for name, p in named if muon.takes(name, p)]
        kinds = {"float32": muon.Muon(matrices, RATE)}
        if hasattr(self.torch.optim, "Muon"):
            kinds["torch.optim.Muon"] = muon.TorchMuon(matrices, RATE)
        took = {name: 1e3 * seconds_of(kind.step, 0.1) for name, kind in kinds.items()}
        rest = self.adamw([p for name, p in named if not muon.takes(name, p)])
        self.optimisers["muon"] = [rest, kinds[min(took, key=took.get)]]
        return took

    def autocast(self):
        if self.a.precision == "f32":
            return contextlib.nullcontext()
        return self.torch.autocast("cpu", self.torch.bfloat16)

    def backward(self):
        torch, x1 = self.torch, self.x1
        self.net.zero_grad(set_to_none=True)
        x0, t = torch.randn_like(x1), torch.rand(len(x1))
        s = t[:, None, None, None]
        with self.autocast():
            loss = ((self.run(t, (1 - s) * x0 + s * x1, self.y) - (x1 - x0)) ** 2).mean()
        loss.backward()

    def step(self, optimisers):
        self.backward()
        for optimiser in optimisers:
            optimiser.step()

    def forward(self):
        with self.torch.no_grad(), self.autocast():
            self.run(self.torch.rand(len(self.x1)), self.x1, self.y)

    def prepare(self):
        """Compiles and settles everything, and returns a description of the run."""
        begin, torch = time.perf_counter(), self.torch
        self.backward()
        self.forward()
        muons = self.add_muon()
        for optimisers in self.optimisers.values():
            self.step(optimisers)
        return {
            "torch": torch.__version__, "python": platform.python_version(), "capability": capability(torch),
            "parameters": sum(p.numel() for p in self.net.parameters()), "prepare_s": time.perf_counter() - begin,
            "muon_step_ms": muons,
        }

    def round(self):
        """Images/s of each figure, and the peak memory of training."""
        def rate(call, *values):
            return self.a.batch / seconds_of(lambda: call(*values), self.a.time)

        forget_peak_memory()
        figures = {"train_" + name: rate(self.step, own) for name, own in self.optimisers.items()}
        self.net.zero_grad(set_to_none=True)
        memory = peak_memory()
        figures["forward"] = rate(self.forward)
        forget_peak_memory()
        return {"images_per_s": figures, "peak_memory_bytes": memory}


def capability(torch):
    """The vector instructions that PyTorch uses, and whether it has bfloat16 arithmetic."""
    name = torch.backends.cpu.get_cpu_capability() if hasattr(torch.backends, "cpu") else "unknown"
    return name + (", bfloat16 in hardware" if native_bf16(torch) else "")


def native_bf16(torch):
    """Whether the CPU has instructions for bfloat16. Without them PyTorch converts, and is slow."""
    with contextlib.suppress(AttributeError, RuntimeError):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False


def show(values):
    print(json.dumps(values), flush=True)


def main():
    a = arguments()
    # PyTorch reads both when it is loaded.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(a.threads)
    bench = Bench(a)
    show(bench.prepare())
    for _ in range(a.rounds):
        if a.wait and not sys.stdin.readline():
            return
        show(bench.round())


if __name__ == "__main__":
    main()
