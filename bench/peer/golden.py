"""Writes the golden numbers of fmimg's tests: PyTorch, NumPy and SciPy compute them in float64.

Nothing here is fmimg's: the U-Net is torchcfm's, Muon is PyTorch's, the matrix root of the Fréchet
distance is SciPy's. The normalizing flow is written here from its paper, with PyTorch's own layers
and gradients.

"make golden CFM=…" runs this with a checkout of atong01/conditional-flow-matching. It needs PyTorch
2.9 or newer, NumPy and SciPy. Alone:

    CFM=conditional-flow-matching python3 golden.py [--out DIR]

The files go into the testdata folders of the repository, or of DIR. They name the versions that
made them. Seeds are fixed: on one machine with the same versions the same bytes come out. All
inputs and weights are numbers of float32, so fmimg computes with exactly what was used here.
Results are rounded to float32 when they are written, which is far finer than the tests' bounds.
"""

import argparse
import hashlib
import json
import math
import os
from unittest import mock

import numpy as np
import scipy
import scipy.linalg
import torch
from torch.overrides import TorchFunctionMode

from torch_unet import unet_module
from weights import replaced, write_safetensors

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

# The networks. Another one, unet_small, is older than this script. Keys are those of fmimg's
# unet.Config. torchcfm knows no time_scale: it is given time_scale·t. It knows no null class
# either. For fmimg that is the last row of label_emb, a class like the others for torchcfm. fmimg
# computes widths of 16 by Winograd's algorithm, and widths of 8 directly. Maps of 12x10 and 10x6 do
# not divide into Winograd's tiles of 4x4.
UNETS = {
    "rgb": {
        "image_size": [8, 12], "in_channels": 3, "model_channels": 16, "num_res_blocks": 1, "channel_mult": [1, 1],
        "attention_resolutions": [2], "num_heads": 1, "num_classes": 4, "use_scale_shift_norm": True,
        "norm_groups": 8, "time_scale": 1000, "null_class": False,
    },
    "heads": {
        "image_size": [8, 4], "in_channels": 1, "model_channels": 8, "num_res_blocks": 1, "channel_mult": [1, 2],
        "attention_resolutions": [1, 2], "num_heads": 4, "num_classes": 0, "use_scale_shift_norm": True,
        "norm_groups": 4, "time_scale": 1, "null_class": False,
    },
    "null_class": {
        "image_size": [10, 6], "in_channels": 2, "model_channels": 8, "num_res_blocks": 2, "channel_mult": [1, 2],
        "attention_resolutions": [2], "num_heads": 2, "num_classes": 4, "use_scale_shift_norm": True,
        "norm_groups": 2, "time_scale": 1000, "null_class": True,
    },
    "added": {
        "image_size": [12, 10], "in_channels": 1, "model_channels": 16, "num_res_blocks": 1, "channel_mult": [1, 1],
        "attention_resolutions": [2], "num_heads": 2, "num_classes": 3, "use_scale_shift_norm": False,
        "norm_groups": 4, "time_scale": 1, "null_class": False,
    },
}
IMAGES = 3
JITTER = 0.1  # standard deviation of the noise that is added to each weight

# Keys are those of fmimg's realnvp.Config. Its scales are 8x12 pixels of 3 channels, 4x6 of 6, 2x3
# of 12.
REALNVP = {
    "image_size": [8, 12], "in_channels": 3, "hidden_channels": 8, "num_blocks": 1, "norm_groups": 4, "scales": 3,
    "alpha": 0.05, "scale_bound": 2,
}
COUPLINGS = 3  # of a scale with each of its two masks
LAST_COUPLINGS = 4  # of the last scale

# The shapes that Muon steps, in PyTorch's order.
MUON_SHAPES = {"tall": (24, 8), "wide": (8, 24), "square": (16, 16), "conv": (8, 9, 3, 3)}
# The rate is high, so that the steps and not the first values make up the result.
MUON = {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.3, "grad_scale": 0.5}
MUON_STEPS = 3


class Float64(TorchFunctionMode):
    """Gives float64 to code that asks for a narrower type.

    torchcfm asks for float32 in its norms, in softmax and for the sinusoids of the time. PyTorch's
    Muon asks for bfloat16.
    """

    NARROW = (torch.float32, torch.bfloat16)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function is torch.Tensor.float:
            function = torch.Tensor.double
        if kwargs.get("dtype") in self.NARROW:
            kwargs["dtype"] = torch.float64
        return function(*args, **kwargs)


def rounded(x):
    """The numbers of float32 that are nearest to x, in float64."""
    return x.to(torch.float32).to(torch.float64)


def narrow(x):
    """x in the type of the files."""
    return x.detach().to(torch.float32)


def randn(*shape):
    return rounded(torch.randn(shape))


@torch.no_grad()
def shake(net, deviation=JITTER):
    """Adds noise to all parameters, and rounds them to float32. No layer is zero after that."""
    for p in net.parameters():
        p.copy_(rounded(p + deviation * torch.randn_like(p)))


def gradients(net):
    return {"grad." + name: narrow(p.grad) for name, p in net.named_parameters()}


def weights(net):
    return {name: narrow(p) for name, p in net.named_parameters()}


def made(*more):
    """What made a file, for its metadata."""
    return ", ".join(["bench/peer/golden.py, float64", "torch " + torch.__version__, *more])


class Files:
    """The testdata folders."""

    def __init__(self, root):
        self.root = root

    def path(self, package, name):
        folder = os.path.join(self.root, package, "testdata")
        os.makedirs(folder, exist_ok=True)
        return os.path.join(folder, name)

    def write(self, package, name, tensors, metadata):
        write_safetensors(self.path(package, name + ".safetensors"), tensors, metadata)


def build_unet(module, config):
    """torchcfm's network, but for the number of its norms' groups, which torchcfm fixes at 32."""
    from torchcfm.models.unet.nn import GroupNorm32

    def normalization(channels):
        return GroupNorm32(config["norm_groups"], channels)

    with mock.patch.object(module, "normalization", normalization):
        net = module.UNetModel(
            image_size=config["image_size"][1], in_channels=config["in_channels"],
            model_channels=config["model_channels"], out_channels=config["in_channels"],
            num_res_blocks=config["num_res_blocks"], attention_resolutions=config["attention_resolutions"],
            channel_mult=config["channel_mult"], num_classes=config["num_classes"] or None,
            num_heads=config["num_heads"], use_scale_shift_norm=config["use_scale_shift_norm"])
    net.dtype = torch.float64  # the type of its maps
    shake(net)
    return net


def unet_inputs(config):
    """x and target [N,C,H,W], times t [N], and classes y [N] from the last class downwards."""
    shape = (IMAGES, config["in_channels"], *config["image_size"])
    inputs = {"x": randn(*shape), "t": rounded(torch.rand(IMAGES)), "target": randn(*shape)}
    if config["num_classes"]:
        inputs["y"] = torch.arange(config["num_classes"] - 1, config["num_classes"] - 1 - IMAGES, -1)
    return inputs


def write_unet(files, module, name, config, origin):
    """Writes a checkpoint, and a file of inputs, v, the mean squared error and its gradients."""
    net, inputs = build_unet(module, config), unet_inputs(config)
    x = inputs["x"].requires_grad_()
    with Float64():
        v = net(inputs["t"] * config["time_scale"], x, inputs.get("y"))
    loss = ((v - inputs["target"]) ** 2).mean()
    loss.backward()
    results = {"v": narrow(v), "loss": narrow(loss)[None], "grad.x": narrow(x.grad), **gradients(net)}
    inputs = {name: value if name == "y" else narrow(value) for name, value in inputs.items()}
    origin = {"format": "pt", "made": origin}
    files.write("unet", "unet_" + name, weights(net), {**origin, "fmimg.config": json.dumps(config)})
    files.write("unet", "unet_%s_io" % name, {**inputs, **results}, origin)


def write_unets(files):
    module = unet_module(os.environ.get("CFM", ""))
    with open(module.__file__, "rb") as source:
        digest = hashlib.sha256(source.read()).hexdigest()
    for seed, (name, config) in enumerate(UNETS.items(), 1):
        torch.manual_seed(seed)
        write_unet(files, module, name, config, made("torchcfm's unet.py of SHA-256 " + digest, "seed %d" % seed))


class Coupling(torch.nn.Module):
    """An activation norm (Kingma and Dhariwal 2018) and a coupling (Dinh et al. 2017, equation 9).

    The norm makes x·exp(log_scale) + shift of each channel x. The coupling keeps the numbers where
    the mask is 1, and moves the others to x·exp(s) + t with s = bound·tanh(r/bound). A
    convolutional network computes r and t from the numbers that stay: r is the first half of its
    channels, t the second.
    """

    def __init__(self, channels, config):
        super().__init__()
        hidden, groups, self.bound = config["hidden_channels"], config["norm_groups"], config["scale_bound"]
        self.norm = torch.nn.ParameterDict({"log_scale": torch.zeros(channels), "shift": torch.zeros(channels)})

        def activated(outputs):
            return torch.nn.Sequential(
                torch.nn.GroupNorm(groups, hidden), torch.nn.SiLU(), torch.nn.Conv2d(hidden, outputs, 3, padding=1))

        self.net = torch.nn.ModuleDict({
            "in": torch.nn.Conv2d(channels, hidden, 3, padding=1),
            "blocks": torch.nn.ModuleList(activated(hidden) for _ in range(config["num_blocks"])),
            "out": activated(2 * channels),
        })
        for p in self.net["out"][2].parameters():  # a new coupling moves nothing
            torch.nn.init.zeros_(p)

    def forward(self, x, mask):
        """Returns the new x [N,C,H,W], and the logarithm of the determinant for each image."""
        pixels = x.shape[2] * x.shape[3]
        x = x * self.norm["log_scale"].exp()[:, None, None] + self.norm["shift"][:, None, None]
        h = self.net["in"](x * mask)
        for block in self.net["blocks"]:
            h = h + block(h)
        r, t = self.net["out"](h).chunk(2, dim=1)
        s = self.bound * torch.tanh(r / self.bound) * (1 - mask)
        moved = x * s.exp() + t * (1 - mask)
        return moved, pixels * self.norm["log_scale"].sum() + s.sum(dim=(1, 2, 3))


class RealNVP(torch.nn.Module):
    """Real NVP (Dinh et al. 2017, section 3) of images in (-1, 1), with fmimg's parameter names."""

    def __init__(self, config):
        super().__init__()
        self.config, channels, layers = config, config["in_channels"], []
        for _ in range(config["scales"] - 1):
            layers += [Coupling(channels, config) for _ in range(COUPLINGS)]
            layers += [Coupling(4 * channels, config) for _ in range(COUPLINGS)]
            channels *= 2  # a squeeze makes four of each, and half of them go on
        layers += [Coupling(channels, config) for _ in range(LAST_COUPLINGS)]
        self.layers = torch.nn.ModuleList(layers)

    def forward(self, x):
        """Returns the noise of images x [N,C,H,W] and their log-densities.

        The noise is [N,numbers]. It begins with the numbers that passed all scales, and ends with
        those that left after the first scale. The channels of a pixel stand together.
        """
        x, log_det = self.logit(x)
        layers, noise = iter(self.layers), []

        def couple(x, log_det, count, mask):
            for i in range(count):
                x, more = next(layers)(x, mask(x, i % 2))
                log_det = log_det + more
            return x, log_det

        for _ in range(self.config["scales"] - 1):
            x, log_det = couple(x, log_det, COUPLINGS, checkerboard)
            x, log_det = couple(squeeze(x), log_det, COUPLINGS, half_of_channels)
            x, leaves = x.chunk(2, dim=1)
            noise.insert(0, channels_last(leaves))
        x, log_det = couple(x, log_det, LAST_COUPLINGS, checkerboard)
        z = torch.cat([channels_last(x), *noise], dim=1)
        return z, log_det - (z * z).sum(dim=1) / 2 - z.shape[1] / 2 * math.log(2 * math.pi)

    def logit(self, x):
        """Returns logit(p) and the log-determinants (section 4.1).

        p = alpha + (1 - 2·alpha)·brightness, which is 0 where x is -1, and 1 where x is 1.
        """
        alpha = self.config["alpha"]
        p = alpha + (1 - 2 * alpha) * (x + 1) / 2
        slope = (1 - 2 * alpha) / 2 / (p * (1 - p))
        return torch.logit(p), slope.log().sum(dim=(1, 2, 3))


def checkerboard(x, parity):
    """1 for the pixels whose row plus column is even, or with parity 1 odd."""
    rows, columns = torch.arange(x.shape[2])[:, None], torch.arange(x.shape[3])
    return ((rows + columns) % 2 == parity).to(x.dtype)


def half_of_channels(x, half):
    """1 for the first half of the channels, or the second."""
    channels = torch.arange(x.shape[1])[:, None, None]
    return ((channels >= x.shape[1] // 2) == bool(half)).to(x.dtype)


def squeeze(x):
    """Makes one pixel of 2x2: first the upper two pixels' channels, then the lower two's."""
    n, c, h, w = x.shape
    corners = x.reshape(n, c, h // 2, 2, w // 2, 2)
    return corners.permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1).flatten(1)


def write_realnvp(files):
    """Writes a checkpoint, and a file of images, noise, log-densities, the loss and its gradients.

    The loss is the mean of -log p. The images are dequantised, 2·(byte + u)/256 - 1 with u uniform.
    """
    torch.manual_seed(11)
    net = RealNVP(REALNVP)
    shake(net)
    shape = (IMAGES, REALNVP["in_channels"], *REALNVP["image_size"])
    x = rounded(2 * (torch.randint(0, 256, shape) + torch.rand(shape)) / 256 - 1)
    z, log_prob = net(x)
    loss = -log_prob.mean()
    loss.backward()
    origin = {"format": "pt", "made": made("seed 11")}
    files.write("realnvp", "realnvp", weights(net), {**origin, "fmimg.realnvp": json.dumps(REALNVP)})
    files.write("realnvp", "realnvp_io", {
        "x": narrow(x), "z": narrow(z), "logp": narrow(log_prob), "loss": narrow(loss)[None], **gradients(net)}, origin)


def write_muon(files):
    """Writes the parameters, gradients and momentum of some steps of PyTorch's Muon.

    It agrees with fmimg's Muon in the coefficients and the number of iterations, in Nesterov's
    momentum and in the decay by lr·weight_decay. With "match_rms_adamw" it agrees in the size of a
    step. It differs in this:
    - Its momentum is a mean, 1 - m times fmimg's sum. The step does not depend on that factor, as
      the matrix is divided by its norm first. The file holds the sum.
    - It iterates in bfloat16. Float64 makes it iterate in float64.
    - It takes matrices alone. A convolution becomes the matrix of output channels by all the rest,
      as in fmimg.
    - It divides by a norm of at least 1e-7, fmimg by one of at least 1e-20. Norms here are above 1.
    """
    torch.manual_seed(21)
    rest = {"weight_decay": MUON["weight_decay"], "momentum": MUON["momentum"], "adjust_lr_fn": "match_rms_adamw"}
    tensors = {}
    for name, shape in MUON_SHAPES.items():
        values = torch.nn.Parameter(randn(*shape).flatten(1))
        tensors["before." + name] = narrow(values).reshape(shape)
        optimiser = torch.optim.Muon([values], MUON["lr"], **rest)
        for step in range(MUON_STEPS):
            grad = randn(*shape)
            values.grad = MUON["grad_scale"] * grad.flatten(1)
            with Float64():
                optimiser.step()
            momentum = optimiser.state[values]["momentum_buffer"] / (1 - MUON["momentum"])
            tensors["grad.%d.%s" % (step, name)] = narrow(grad)
            tensors["momentum.%d.%s" % (step, name)] = narrow(momentum).reshape(shape)
            tensors["after.%d.%s" % (step, name)] = narrow(values).reshape(shape)
    files.write("nn", "muon", tensors, {"made": made("torch.optim.Muon", "seed 21"), "muon": json.dumps(MUON)})


def frechet(a, b):
    """The FID of features [N,D] (Heusel et al. 2017, equation 6), with the root of a product."""
    difference = a.mean(axis=0) - b.mean(axis=0)
    sa, sb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(sa @ sb)
    return float(difference @ difference + np.trace(sa) + np.trace(sb) - 2 * np.trace(root).real)


def mmd(a, b):
    """The unbiased estimate of MMD² (Gretton et al. 2012, equation 3), kernel (x·y/D + 1)³."""
    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def without_diagonal(k):
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    return without_diagonal(kernel(a, a)) + without_diagonal(kernel(b, b)) - 2 * kernel(a, b).mean()


def kid(a, b, blocks):
    """The mean of MMD² over disjoint blocks (Bińkowski et al. 2018), and its standard error."""
    n, m = len(a) // blocks, len(b) // blocks
    values = [mmd(a[i * n:(i + 1) * n], b[i * m:(i + 1) * m]) for i in range(blocks)]
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(blocks))


def wasserstein(a, b):
    """The square of the 2-Wasserstein distance on a line: both quantile functions on one grid."""
    n = math.lcm(len(a), len(b))
    x, y = np.sort(a).repeat(n // len(a)), np.sort(b).repeat(n // len(b))
    return float(np.mean((x - y) ** 2))


def feature_sets(random):
    """Pairs of sets of features, by name, and the number of KID's blocks.

    All numbers are multiples of 1/16: products in float32 are then exact, and only the formulas are
    compared.
    """
    def normals(rows, mix, shift):
        return np.round(16 * (random.standard_normal((rows, len(mix))) @ mix + shift)) / 16

    d = 8
    unit, mixed = np.eye(d), random.standard_normal((d, d)) / 2
    line = 0.1 * unit + random.standard_normal((1, d))  # a row's numbers move together
    return {
        "shifted": (normals(60, unit, 0), normals(50, unit, 1), 3),
        "other covariances": (normals(64, mixed, 0), normals(48, mixed.T, 0.25), 4),
        "correlated": (normals(40, line, 0.5), normals(70, mixed, 0), 5),
        "fewer rows than features": (normals(6, mixed, 0), normals(40, unit, 0.5), 2),
    }


def write_metrics(files):
    cases = []
    for name, (a, b, blocks) in feature_sets(np.random.default_rng(31)).items():
        value, error = kid(a, b, blocks)
        cases.append({
            "name": name, "frechet": frechet(a, b), "kid": value, "kid_error": error, "kid_blocks": blocks,
            "wasserstein": wasserstein(a.ravel(), b.ravel()),
            "a": a.tolist(), "b": b.tolist(),
        })
    origin = "bench/peer/golden.py, float64, numpy %s, scipy %s, seed 31" % (np.__version__, scipy.__version__)
    lines = ",\n".join(map(json.dumps, cases))
    with replaced(files.path("metrics", "golden.json")) as file:
        file.write(('{"made": %s, "cases": [\n%s\n]}\n' % (json.dumps(origin), lines)).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=ROOT, metavar="DIR", help="folder of the packages (the repository)")
    files = Files(parser.parse_args().out)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # so that sums have one order
    torch.use_deterministic_algorithms(True)
    write_unets(files)
    write_realnvp(files)
    write_muon(files)
    write_metrics(files)


if __name__ == "__main__":
    main()
