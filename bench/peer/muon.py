"""Muon for a network's weights, in two ways: PyTorch's own, and one in float32 as fmimg has it."""

import math

import torch

MOMENTUM, WEIGHT_DECAY = 0.95, 0.01


def takes(name, p):
    """Whether Muon steps a parameter: not first and last layers, biases and class embeddings."""
    return p.dim() > 1 and min(p.shape[:2]) >= 8 and name != "label_emb.weight"


class Muon(torch.optim.Optimizer):
    """Steps matrices along the orthogonal matrix nearest to their momentum (Jordan et al. 2024).

    Steps have the size of AdamW's. A convolution's weight is the matrix of its output channels by
    all the rest, as in fmimg.
    """

    QUINTIC, STEPS = (3.4445, -4.7750, 2.0315), 5

    def __init__(self, params, lr, weight_decay=WEIGHT_DECAY):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.mul_(MOMENTUM).add_(p.grad)
                ahead = (p.grad + MOMENTUM * momentum).flatten(1)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(self.orthogonal(ahead).view_as(p), alpha=-group["lr"] * 0.2 * math.sqrt(max(ahead.shape)))

    def orthogonal(self, x):
        a, b, c = self.QUINTIC
        wide = x if x.shape[0] <= x.shape[1] else x.T
        wide = wide / wide.norm().clamp_min(1e-20)
        for _ in range(self.STEPS):
            gram = wide @ wide.T
            wide = a * wide + (b * gram + c * gram @ gram) @ wide
        return wide if x.shape[0] <= x.shape[1] else wide.T


class TorchMuon:
    """torch.optim.Muon, which PyTorch has from 2.9 on. It computes in bfloat16.

    It takes matrices alone. So it steps views of the weights, which share their memory.
    """

    def __init__(self, params, lr):
        self.params = list(params)
        self.matrices = [torch.nn.Parameter(as_matrix(p.detach(), p)) for p in self.params]
        if any(m.data_ptr() != p.data_ptr() for m, p in zip(self.matrices, self.params)):
            raise RuntimeError("a weight has no view as a matrix")
        self.own = torch.optim.Muon(
            self.matrices, lr, weight_decay=WEIGHT_DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw")

    def step(self):
        for matrix, p in zip(self.matrices, self.params):
            matrix.grad = as_matrix(p.grad, p)
        self.own.step()


def as_matrix(x, weight):
    """The matrix of the output channels of x by all the rest, in the order of the weight's memory."""
    if weight.dim() == 4 and not weight.is_contiguous():
        x = x.permute(0, 2, 3, 1)  # channels last
    return x.flatten(1)
