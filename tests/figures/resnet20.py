"""One training step of ResNet-20 (option A) in PyTorch, as figures that tests/nn/pytorch.cpp holds weft against.

Weights, images and labels come from an integer generator whose values are exact in f32, so both sides start from the
same bits. usage: python3 resnet20.py > resnet20.json     (Debian's python3-torch, 1.13.1)
"""
import json
import sys

import torch
import torch.nn.functional as F
from torch import nn


class Numbers:
    """Multiples of 2^-11 in [-1, 1), the same as in tests/support/numbers.hpp."""

    def __init__(self, seed):
        self.state = seed

    def take(self, count):
        values = []
        for _ in range(count):
            self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
            values.append((self.state >> 52) / 2048.0 - 1.0)
        return torch.tensor(values, dtype=torch.float64)


class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.stride, self.missing = stride, outer - inner

    def forward(self, x):
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.missing))
        return F.relu(h + shortcut)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stage1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.stage2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.stage3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.output = nn.Linear(64, 10)

    def forward(self, x):
        h = self.stage3(self.stage2(self.stage1(F.relu(self.bn(self.conv(x))))))
        return self.output(h.mean((2, 3)))


def to_weft(t):
    """PyTorch's {out, in, h, w} as {h, w, in, out}, {out, in} as {in, out}; flat."""
    order = {4: (2, 3, 1, 0), 2: (1, 0)}.get(t.dim())
    return (t.permute(order) if order else t).detach().double().reshape(-1)


def start(name, parameter, numbers, dtype):
    values = numbers.take(parameter.numel())
    if "bn" in name and name.startswith("stage3"):
        return (values / 4 + (1.0 if name.endswith("weight") else 0.0)).to(dtype)
    # In the large images most of batch norm's outputs keep clear of 0: among that many, rounding turns a few ReLUs, and
    # with each a visible part of a gradient.
    if "bn" in name and name.endswith("weight"):
        return (0.25 + values / 16).to(dtype)
    if name.endswith("bn1.bias"):
        return (torch.where(values < 0, -0.5, 0.5) + values / 8).to(dtype)
    if "bn" in name:
        return (1.0 + values.abs() / 4).to(dtype)
    if parameter.dim() == 1:
        return (values / 4).to(dtype)
    fan_in = parameter.numel() // parameter.shape[0]
    scale = 1.0
    while scale * scale * fan_in > 6.0:
        scale /= 2
    values = (values * scale).to(dtype)
    if parameter.dim() == 2:
        values = values / 8  # features are all positive: keeps softmax from saturating
        return values.reshape(parameter.shape[1], parameter.shape[0]).t()
    outer, inner, height, width = parameter.shape
    return values.reshape(height, width, inner, outer).permute(3, 2, 0, 1)


def net_and_data(dtype):
    numbers = Numbers(114)  # of sixty, the one in which f32 strays least from f64: no ReLU input is as near 0 as rounding
    net = ResNet20().to(dtype)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(start(name, parameter, numbers, dtype))
    images = numbers.take(8 * 16 * 16 * 3).to(dtype).reshape(8, 16, 16, 3).permute(0, 3, 1, 2)
    return net, images, torch.tensor([(3 * i) % 10 for i in range(8)])


def figures(t, index):
    flat = to_weft(t)
    digits = 17 if t.dtype == torch.float64 else 10
    short = lambda v: float(f"{float(v):.{digits}g}")
    samples = [flat[i * (flat.numel() - 1) // 7] for i in range(8)]
    return {"norm": short(flat.norm()), "projection": short(flat @ Numbers(1000 + index).take(flat.numel())),
            "samples": [short(s) for s in samples]}


def run(dtype):
    torch.set_num_threads(1)
    result = {"parameters": {}, "buffers": {}}
    makers = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
        # eps is no smaller because the first step is lr * g / (|g| + eps): rounding may turn the sign of a tiny g.
        "adam": lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.9, 0.999), eps=1e-4, weight_decay=1e-4),
    }
    for kind, make in makers.items():
        net, images, labels = net_and_data(dtype)
        logits = net(images)
        loss = F.cross_entropy(logits, labels)
        loss.backward()
        result["loss"] = float(loss)
        for index, (name, parameter) in enumerate(net.named_parameters()):
            result["parameters"].setdefault(name, {})["gradient"] = figures(parameter.grad, index)
        make(net.parameters()).step()
        for index, (name, parameter) in enumerate(net.named_parameters()):
            result["parameters"][name][kind] = figures(parameter, index)
        kept = [(n, b) for n, b in net.named_buffers() if b.dim() == 1]
        result["buffers"] = {name: figures(buffer, index) for index, (name, buffer) in enumerate(kept)}
    return result


def main():
    torch.use_deterministic_algorithms(True)
    json.dump({"f64": run(torch.float64), "f32": run(torch.float32), "torch": torch.__version__}, sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
