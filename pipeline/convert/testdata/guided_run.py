"""Makes networks of guided diffusion's kind, those that torchcfm ships, and runs them.

The argument is a folder with cases.json, a list: "config" has the arguments of the network, "file" is
where its state dict goes. The network gets random weights. With "out" it is run, as
diffusers_run.py says.
"""

import json
import os
import sys

import numpy
import torch
from torchcfm.models.unet.unet import UNetModel

torch.set_num_threads(1)
with open(os.path.join(sys.argv[1], "cases.json"), encoding="utf-8") as f:
    cases = json.load(f)
for case in cases:
    torch.manual_seed(case["seed"])
    net = UNetModel(**case["config"]).eval()
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.05 * torch.randn_like(p))
    torch.save({"step": 7, "ema": {"module." + k: v for k, v in net.state_dict().items()}}, case["folder"])
    if not case["out"]:
        continue
    x = torch.from_numpy(numpy.fromfile(case["x"], dtype="<f4")).reshape(case["shape"])
    t = torch.from_numpy(numpy.fromfile(case["t"], dtype="<f4"))
    y = torch.from_numpy(numpy.fromfile(case["y"], dtype="<i8")) if case.get("y") else None
    with torch.no_grad():
        net(t, x, y).numpy().astype("<f4").tofile(case["out"])
