"""Weights as PyTorch writes them, and what its nets make of them, which tests/nn/files/pytorch*.cpp read.

usage: python3 pytorch_files.py                   writes into pytorch/ beside it (Debian's python3-torch, 1.13.1)
       python3 pytorch_files.py --check FILE NET  whether PyTorch takes what save_pytorch wrote of a net of nets.json that
                                                  has its weights, and finds the same outputs
"""
import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from resnet20 import Numbers, ResNet20

folder = pathlib.Path(__file__).parent / "pytorch"


# torchvision's names and layers, as far as they are the papers'.
class Block(nn.Module):
    def __init__(self, inner, outer, stride, bottleneck):
        super().__init__()
        width = outer // 4 if bottleneck else outer
        sizes = [(inner, width, 1), (width, width, 3), (width, outer, 1)] if bottleneck else [(inner, outer, 3), (outer, outer, 3)]
        strided = 1 if bottleneck else 0
        self.count = len(sizes)
        for i, (a, b, k) in enumerate(sizes):
            setattr(self, f"conv{i + 1}", nn.Conv2d(a, b, k, stride if i == strided else 1, k // 2, bias=False))
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(b))
        if stride != 1 or inner != outer:
            self.downsample = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))

    def forward(self, x):
        h = x
        for i in range(1, self.count + 1):
            h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
            if i < self.count:
                h = F.relu(h)
        return F.relu(h + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inner = 64
        for i, count in enumerate(blocks):
            outer = (64 << i) * (4 if bottleneck else 1)
            strides = [1 if i == 0 else 2] + [1] * (count - 1)
            layer = [Block(inner if j == 0 else outer, outer, s, bottleneck) for j, s in enumerate(strides)]
            setattr(self, f"layer{i + 1}", nn.Sequential(*layer))
            inner = outer
        self.fc = nn.Linear(inner, classes)

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(h)))).mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, inner, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))], 1)


class DenseNet121(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential()
        add = self.features.add_module
        add("conv0", nn.Conv2d(3, 64, 7, 2, 3, bias=False))
        add("norm0", nn.BatchNorm2d(64))
        add("relu0", nn.ReLU())
        add("pool0", nn.MaxPool2d(3, 2, 1))
        channels = 64
        for i, count in enumerate([6, 12, 24, 16], 1):
            block = nn.Sequential()
            for j in range(1, count + 1):
                block.add_module(f"denselayer{j}", DenseLayer(channels, 32))
                channels += 32
            add(f"denseblock{i}", block)
            if i < 4:
                transition = nn.Sequential()
                transition.add_module("norm", nn.BatchNorm2d(channels))
                transition.add_module("relu", nn.ReLU())
                transition.add_module("conv", nn.Conv2d(channels, channels // 2, 1, bias=False))
                transition.add_module("pool", nn.AvgPool2d(2))
                add(f"transition{i}", transition)
                channels //= 2
        add("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))


nets = {
    "resnet_cifar20": (ResNet20, (2, 3, 20, 12)),
    "resnet18": (lambda: ResNet([2, 2, 2, 2], False, 10), (2, 3, 45, 70)),
    "resnet50": (lambda: ResNet([3, 4, 6, 3], True, 10), (2, 3, 45, 70)),
    "densenet121": (lambda: DenseNet121(10), (2, 3, 45, 70)),
}


def start(name, shape, u):
    """Weights from numbers in [-1, 1), by powers of two so that they are exact; the same as in pytorch_nets.cpp."""
    if name.endswith("running_var"):
        return 1 + u / 2
    if name.endswith("running_mean") or name.endswith("bias"):
        return u / 4
    if len(shape) == 1:
        return 1 + u / 4
    scale, fan_in = 1.0, np.prod(shape[1:])
    while scale * scale * fan_in > 6.0:
        scale /= 2
    return u * scale


def net_and_images(kind):
    make, size = nets[kind]
    net, numbers = make().double().eval(), Numbers(20)
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                t.copy_(start(name, t.shape, numbers.take(t.numel())).reshape(t.shape))
    return net, numbers.take(int(np.prod(size))).reshape(size)


def outputs(net, images):
    with torch.no_grad():
        return net(images).double().flatten().tolist()


def write_nets():
    result = {}
    for kind, (_, size) in nets.items():
        net, images = net_and_images(kind)
        tensors = [[name, list(t.shape)] for name, t in net.state_dict().items()]
        result[kind] = {"images": size, "tensors": tensors, "outputs": outputs(net, images)}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in result.items())
    (folder / "nets.json").write_text("{" + lines + "}\n")


# Of every kind of layer one, that is no symmetric case.
layers = {
    "linear": (nn.Linear(3, 2), [(4, 3)]),
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), [(2, 4, 7)]),
    "conv2d": (nn.Conv2d(4, 6, (2, 3), stride=(1, 2), padding=(1, 0), groups=2), [(2, 4, 5, 6)]),
    "pointwise": (nn.Conv2d(3, 5, 1, stride=2, bias=False), [(2, 3, 4, 5)]),
    "transposed": (nn.ConvTranspose2d(4, 6, (2, 3), stride=(1, 2), padding=(1, 0), groups=2), [(2, 4, 5, 3)]),
    "bilinear": (nn.Bilinear(2, 3, 4), [(5, 2), (5, 3)]),
    "embedding": (nn.Embedding(5, 3), None),
    "batch_norm": (nn.BatchNorm2d(3), [(2, 3, 4, 2)]),
    "layer_norm": (nn.LayerNorm(4), [(3, 4)]),
    "group_norm": (nn.GroupNorm(2, 4), [(2, 4, 3, 2)]),
    "rnn": (nn.RNN(3, 4, 2, bidirectional=True, batch_first=True), [(2, 5, 3)]),
    "lstm": (nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True), [(2, 5, 3)]),
    "gru": (nn.GRU(3, 4, batch_first=True), [(2, 5, 3)]),
    "gru_cell": (nn.GRUCell(3, 4), [(2, 3), (2, 4)]),
    "attention": (nn.MultiheadAttention(6, 2, batch_first=True), [(2, 4, 6)]),
    "transformer": (nn.TransformerEncoderLayer(6, 2, 7, 0.0, F.gelu, batch_first=True, norm_first=True), [(2, 4, 6)]),
}
images = {"conv1d", "conv2d", "pointwise", "transposed", "batch_norm", "group_norm"}


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        kind = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}[t.dtype]
        raw = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    raw = pathlib.Path(path).read_bytes()
    end = 8 + struct.unpack("<Q", raw[:8])[0]
    kinds = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "U8": np.uint8}
    tensors = {}
    for name, entry in json.loads(raw[8:end]).items():
        if name != "__metadata__":
            begin, stop = entry["data_offsets"]
            values = np.frombuffer(raw[end + begin:end + stop], kinds[entry["dtype"]]).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(values.copy())
    return tensors


def described(t):
    values = t.detach().flatten().tolist()
    return {"shape": list(t.shape), "values": [float(f"{v:.9g}") for v in values] if t.dtype == torch.float32 else values}


def write_layers():
    numbers, result = Numbers(7), {}
    net = nn.ModuleDict({name: layer for name, (layer, _) in layers.items()}).eval()
    with torch.no_grad():
        for name, t in net.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                t.copy_(numbers.take(t.numel()).reshape(t.shape) + (1.5 if name.endswith("running_var") else 0))
        for name, (layer, shapes) in layers.items():
            if shapes is None:
                inputs = [torch.tensor([[4, 0, 1], [2, 2, 3]])]
            else:
                inputs = [numbers.take(int(np.prod(s))).reshape(s).float() for s in shapes]
            y = layer(*(inputs * 3 if name == "attention" else inputs))
            y = y[0] if isinstance(y, tuple) else y
            if name in images:
                inputs, y = [x.movedim(1, -1) for x in inputs], y.movedim(1, -1)
            result[name] = {"inputs": [described(x) for x in inputs], "output": described(y)}
    state = net.state_dict()
    (folder / "layers.json").write_text(json.dumps(result, separators=(",", ":")) + "\n")
    torch.save(state, folder / "layers.pt")
    write_safetensors(folder / "layers.safetensors", state)
    trained = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(trained.parameters(), lr=0.01)
    trained(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "model": state, "best": -0.5, "name": "caf\u00e9", "done": True, "history": [0.25, [2, 1]],
                "optimizer": optimizer.state_dict(), "nothing": None, "seed": 2**80},
               folder / "checkpoint.pt")


def write_kinds():
    count = torch.arange(24, dtype=torch.float32)
    cube = count.reshape(2, 3, 4)
    whole = torch.tensor([0, 1, -1, 100, -128])
    parts = {
        "f64": torch.tensor([0.1, -1e300], dtype=torch.float64),
        "f16": torch.tensor([0.0, -0.5, 65504.0, 2**-24, -3 * 2**-20], dtype=torch.float16),
        "bf16": torch.tensor([0.0, -0.5, 3.0e38, 1e-40], dtype=torch.bfloat16),
        "i64": torch.tensor([2**60, -5]),
        "i32": whole.int(),
        "i16": whole.short(),
        "i8": whole.char(),
        "u8": torch.tensor([0, 1, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.tensor([1.5, -2.5])),
        "transposed": cube[0].t(),
        "permuted": cube.permute(2, 0, 1),
        "column": cube[:, 1, ::2],
        "row": cube[1, 2],
        "overlapping": count.as_strided((4, 3), (2, 1), 5),
        "repeated": count[7:8].expand(2, 3),
    }
    torch.save({**parts, "size": torch.Size([2, 3]), "list": [torch.ones(1), {"inner": torch.zeros(2)}],
                7: torch.full((1,), 7.0)}, folder / "kinds.pt")
    expected = {name: described(t if t.dtype.is_floating_point else t.long()) for name, t in parts.items()}
    (folder / "kinds.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


def write_refused():
    net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    torch.save(net.state_dict(), folder / "tiny.pt")
    torch.save(net, folder / "module.pt")
    torch.save(net.state_dict(), folder / "old.pt", _use_new_zipfile_serialization=False)


def check(path, kind):
    net, images = net_and_images(kind)
    expected = torch.tensor(outputs(net, images))
    state = read_safetensors(path)
    fresh = nets[kind][0]().eval()
    print(fresh.load_state_dict(state, strict=True))
    found = torch.tensor(outputs(fresh, images.float()))
    print("largest deviation, relative to the largest output:", float((found - expected).abs().max() / expected.abs().max()))


def main():
    torch.set_num_threads(1)
    if len(sys.argv) == 4 and sys.argv[1] == "--check":
        return check(sys.argv[2], sys.argv[3])
    folder.mkdir(exist_ok=True)
    torch.manual_seed(1)
    write_nets()
    write_layers()
    write_kinds()
    write_refused()


if __name__ == "__main__":
    main()
