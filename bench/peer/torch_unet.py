"""Measures the same network in PyTorch: torchcfm's own U-Net, configured as fmimg's preset.

It prints one JSON object with the images/s of a training step and of a forward pass in float32.
They are medians of repeated calls after a warm-up. CFM names a checkout of
atong01/conditional-flow-matching. "make peer" runs this script and fmimg in turn. Alone:

    CFM=conditional-flow-matching python3 torch_unet.py --threads 2 --compile
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
import types

# Channels and blocks of each preset. Multipliers are torchcfm's for 28 pixels: 1, 2, 2. Attention
# is at 7 pixels.
PRESETS = {"base": (32, 1), "large": (64, 2)}
LEAST_SAMPLES = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="base")
    parser.add_argument("--batch", type=int, default=128, help="images of a step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--time", type=float, default=10, help="seconds of measurement, for each of the two")
    parser.add_argument("--compile", action="store_true", help="torch.compile, which PyTorch has from 2.0 on")
    parser.add_argument("--channels-last", action="store_true", help="NHWC in memory")
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


def unet(preset):
    """The preset's network for MNIST, in float32. The eleventh class means no class."""
    channels, blocks = PRESETS[preset]
    return unet_module(os.environ.get("CFM", "")).UNetModelWrapper(
        dim=(1, 28, 28), num_channels=channels, num_res_blocks=blocks, attention_resolutions="7",
        use_scale_shift_norm=True, class_cond=True, num_classes=11)


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
    """Median seconds of a call, and how many were measured.

    Two calls come first that do not count: compilers and allocators settle in them.
    """
    call()
    call()
    samples = []
    end = time.perf_counter() + budget
    while len(samples) < LEAST_SAMPLES or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples), len(samples)


def main():
    a = arguments()
    # PyTorch reads both when it is loaded.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(a.threads)
    import torch

    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    layout = torch.channels_last if a.channels_last else torch.contiguous_format
    net = unet(a.preset).to(memory_format=layout)
    run = torch.compile(net) if a.compile else net
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3, foreach=True)
    x1 = torch.randn(a.batch, 1, 28, 28).to(memory_format=layout)
    y = torch.randint(0, 11, (a.batch,))

    def step():
        optimiser.zero_grad(set_to_none=True)
        x0, t = torch.randn_like(x1), torch.rand(a.batch)
        s = t[:, None, None, None]
        loss = ((run(t, (1 - s) * x0 + s * x1, y) - (x1 - x0)) ** 2).mean()
        loss.backward()
        optimiser.step()

    def forward():
        with torch.no_grad():
            run(torch.rand(a.batch), x1, y)

    training, samples = seconds_of(step, a.time)
    memory = peak_memory()
    evaluating, _ = seconds_of(forward, a.time)
    print(json.dumps({
        "torch": torch.__version__, "preset": a.preset, "batch": a.batch, "threads": a.threads, "compiled": a.compile,
        "channels_last": a.channels_last, "parameters": sum(p.numel() for p in net.parameters()), "samples": samples,
        "images_per_s": a.batch / training, "forward_images_per_s": a.batch / evaluating, "peak_memory_bytes": memory,
    }))


if __name__ == "__main__":
    main()
