# Writes the files of the tests by PyTorch: python make.py
import collections
import pathlib
import torch


class Own:
    pass


torch.manual_seed(1)
here = pathlib.Path(__file__).parent
weights = collections.OrderedDict(
    plain=torch.arange(6.0).reshape(2, 3),
    turned=torch.arange(6.0).reshape(2, 3).t(),
    part=torch.arange(10.0)[3:7],
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    half=torch.tensor([1.0, -2.0, 6.1e-5, 3e-8, 65504.0]).half(),
    brain=torch.tensor([1.0, -3.0]).bfloat16(),
    double=torch.tensor([0.1, 1e-3]).double(),
    count=torch.tensor(7),
    parameter=torch.nn.Parameter(torch.tensor([1.5, 2.5])),
)
weights["shared"] = weights["plain"]
nested = {
    "state_dict": {"net.a": torch.ones(2)}, "ema": {"shadow": {"b": torch.zeros(3)}}, "epoch": 3, "names": ["x"],
    "optimizer": {"state": {0: {"exp_avg": torch.full((2,), 4.0)}}, "param_groups": [{"lr": 1e-3, "params": [0]}]},
}
for name, value in {"weights": weights, "nested": nested}.items():
    torch.save(value, here / f"{name}.pt")
    torch.save(value, here / f"{name}-old.pt", _use_new_zipfile_serialization=False)
torch.save({"a": torch.ones(1), "b": Own()}, here / "own.pt")
torch.save(torch.nn.Linear(2, 1), here / "module.pt")
torch.save({"a": torch.tensor([float("nan")])}, here / "nan.pt")
torch.save({"a": [1, 2]}, here / "none.pt")
torch.save(torch.ones(2), here / "tensor.pt")
torch.jit.script(torch.nn.Linear(2, 1)).save(here / "program.pt")
