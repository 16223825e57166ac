"""Makes and runs networks of diffusers.

The argument is a folder with cases.json, a list. Each case has a "folder" of a network and files of
raw little-endian numbers: "x" of a "shape", the timesteps "t", "y" where it takes classes, and
"out", which is written: what the network finds. With a "config" the network is made first, with
random weights, and saved by the arguments "save"; "dtype" is that of the weights. With a
"scheduler", a class and its arguments, all of a pipeline is saved, with the network in its folder
unet. With "readme" the program of README.md runs. With "again" the weights are changed, and the
network is saved there.
"""

import json
import os
import sys

import diffusers
import numpy
import torch
from diffusers import UNet2DModel

torch.set_num_threads(1)


def shake(net):
    """Adds noise to all weights. No layer is zero after that."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.05 * torch.randn_like(p))


def evaluate(case, net):
    def read(name, dtype):
        return torch.from_numpy(numpy.fromfile(case[name], dtype=dtype))

    x = read("x", "<f4").reshape(case["shape"])
    labels = {"class_labels": read("y", "<i8")} if case.get("y") else {}
    with torch.no_grad():
        out = net(x, read("t", "<f4"), **labels).sample
    out.numpy().astype("<f4").tofile(case["out"])


def make(case):
    torch.manual_seed(case["seed"])
    net = UNet2DModel(**case["config"])
    shake(net)
    net.to(getattr(torch, case.get("dtype", "float32")))
    if case.get("scheduler"):
        kind, arguments = case["scheduler"]
        scheduler = getattr(diffusers, kind)(**arguments)
        diffusers.DDPMPipeline(unet=net, scheduler=scheduler).save_pretrained(case["folder"])
        return net
    net.save_pretrained(case["folder"], **case.get("save", {}))
    for old, now in case.get("rename", {}).items():
        rename(case["folder"], old, now)
    return net.to(torch.float32)


def rename(folder, old, now):
    """Gives tensors the names of older versions of diffusers."""
    from safetensors.torch import load_file, save_file

    path = os.path.join(folder, "diffusion_pytorch_model.safetensors")
    save_file({k.replace(old, now): v for k, v in load_file(path).items()}, path, metadata={"format": "pt"})


def run_readme(folder):
    text = open(os.path.join(folder, "README.md"), encoding="utf-8").read()
    code = text.split("```python\n")[1].split("```")[0]
    names = {}
    os.chdir(folder)
    exec(code, names)
    assert torch.isfinite(names["images"]).all() and names["images"].abs().max() <= 1, folder


with open(os.path.join(sys.argv[1], "cases.json"), encoding="utf-8") as f:
    cases = json.load(f)
for case in cases:
    if "config" in case:
        net = make(case)
    else:
        net, problems = UNet2DModel.from_pretrained(case["folder"], output_loading_info=True)
        assert not any(problems.values()), problems
    net.eval()
    if case.get("readme"):
        run_readme(case["folder"])
    if case.get("again"):
        torch.manual_seed(1)
        shake(net)
        net.save_pretrained(case["again"])
    evaluate(case, net)
