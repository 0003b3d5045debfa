"""Shortcuts and the layers that have them as plain PyTorch code, for tests/nn/layers/shortcuts.cpp. Images are channels
last, as weft has them.

usage: /usr/bin/python3 shortcuts.py > shortcuts.json
"""
import json

import torch
import torch.nn.functional as F
from torch import nn

from cases import case

torch.manual_seed(11)
torch.set_default_dtype(torch.float64)


def body(inner, outer):
    return nn.Sequential(nn.Linear(inner, outer), nn.Tanh())


class Projection(nn.Module):
    """Of vectors, or of every other pixel."""

    def __init__(self, inner, outer, stride=1, norm=False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outer, inner))
        self.stride = stride
        if norm:
            self.norm = nn.BatchNorm1d(outer)

    def forward(self, x):
        y = F.linear(x[:, :: self.stride, :: self.stride] if x.dim() == 4 else x, self.weight)
        return self.norm(y.reshape(-1, y.shape[-1])).reshape(y.shape) if hasattr(self, "norm") else y


class Net(nn.Module):
    """Parts by name, and a function of them and of x."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return {"output": self.function(self, x)}


def highway(m, x):
    t = torch.sigmoid(m.gate(x))
    return t * m.body(x) + (1 - t) * x


def skip_all(m, x):
    weights, h = iter(m.weights), [x]
    for body in m.bodies:
        h.append(body(h[-1]) + sum(next(weights) * earlier for earlier in list(h)))
    return h[-1]


def zero_pad(m, x):
    return m.body(x) + F.pad(x[:, ::2, ::2], (0, 2))


straight = lambda m, x: m.body(x) + m.shortcut(x)
vectors, images = (4, 5), (2, 4, 6, 3)
nets = {
    "residual": (vectors, Net(lambda m, x: 0.3 * m.body(x) + x, body=body(5, 5))),
    "residual, projection": (vectors, Net(straight, body=body(5, 3), shortcut=Projection(5, 3))),
    "residual, projection of images": (images, Net(straight, body=nn.Sequential(Projection(3, 4, 2), nn.Tanh()),
                                                   shortcut=Projection(3, 4, 2, norm=True))),
    "residual, zero pad": (images, Net(zero_pad, body=nn.Sequential(Projection(3, 5, 2), nn.Tanh()))),
    "concat": (vectors, Net(lambda m, x: torch.cat((x, m.body(x)), -1), body=body(5, 2))),
    "highway": (vectors, Net(highway, body=body(5, 5), gate=nn.Linear(5, 5))),
    "rezero": (vectors, Net(lambda m, x: x + m.scale * m.body(x), body=body(5, 5), scale=nn.Parameter(torch.zeros(())))),
    "skip all": (vectors, Net(skip_all, bodies=nn.ModuleList(body(5, 5) for _ in range(3)),
                              weights=nn.Parameter(torch.zeros(6)))),
}
print(json.dumps({title: case(net, lambda m, x: m(x), x=torch.randn(shape)) for title, (shape, net) in nets.items()}))
