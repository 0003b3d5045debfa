"""Nets as PyTorch writes them to ONNX, with an input and what PyTorch makes of it, which tests/addons/onnx/load.cpp reads.

usage: python3 onnx_files.py      writes into onnx/ beside it (Debian's python3-torch, 1.13)
"""
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

folder = pathlib.Path(__file__).parent / "onnx"


class Block(nn.Module):
    def __init__(self, inner, outer, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.shortcut = nn.Conv2d(inner, outer, 1, stride) if inner != outer else nn.Identity()

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 7, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.layer = nn.Sequential(Block(4, 4), Block(4, 8, 2))
        self.fc = nn.Linear(8, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 3, 2, 1)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(self.layer(x), 1), 1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(3, 4, 3, padding=1)
        self.norm1 = nn.InstanceNorm2d(4, affine=True)
        self.down2 = nn.Conv2d(4, 8, 3, stride=2, padding=1)
        self.norm2 = nn.GroupNorm(2, 8)
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.out = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        a = F.relu(self.norm1(self.down1(x)))
        b = F.silu(self.norm2(self.down2(a)))
        c = self.up(b) + F.interpolate(b[:, :4], scale_factor=2, mode="bilinear", align_corners=False)
        return torch.sigmoid(self.out(torch.cat([c, a], 1)))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.places = nn.Parameter(torch.randn(1, 6, 8))
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.head = nn.Linear(8, 20)

    def forward(self, words):
        x = self.words(words) + self.places[:, :words.shape[1]]
        batch, time, width = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(batch, time, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        later = torch.tril(torch.ones(time, time)) == 0
        weights = ((q @ k.transpose(-1, -2)) / 2).masked_fill(later, float("-inf")).softmax(-1)
        mixed = (weights @ v).transpose(1, 2).reshape(batch, time, width)
        return self.head(F.gelu(x + self.out(mixed))).log_softmax(-1)


torch.manual_seed(0)
folder.mkdir(exist_ok=True)
for name, net, x, opsets in [("residual", Residual(), torch.randn(2, 3, 16, 16), (12, 16)),
                             ("unet", UNet(), torch.randn(2, 3, 8, 8), (11, 13)),
                             ("transformer", Transformer(), torch.randint(0, 20, (2, 6)), (14, 16))]:
    net.eval()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 1.5)
    for opset in opsets:
        torch.onnx.export(net, x, folder / f"{name}_{opset}.onnx", opset_version=opset, input_names=["x"],
                          output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
    np.savez(folder / f"{name}.npz", x=x.numpy(), y=net(x).detach().numpy())
