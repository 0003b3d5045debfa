"""Gradients of elementwise ops at special values in PyTorch, as figures that tests/ops_special.cpp holds weft against.

One line for each op of the table that has a gradient, by its title. usage: python3 special.py > special.json
(Debian's python3-torch, 1.13.1)
"""
import json
import math
import sys

import torch
import torch.nn.functional as F

UNARY = {
    "add (number)": lambda x: 2.0 + x,
    "sub (number)": lambda x: x - 0.75,
    "sub (from number)": lambda x: 1.5 - x,
    "mul (number)": lambda x: 3.0 * x,
    "div (number)": lambda x: x / 0.4,
    "div (of number)": lambda x: 1.7 / x,
    "neg": torch.neg,
    "pow (cube)": lambda x: torch.pow(x, 3.0),
    "pow (2.5)": lambda x: torch.pow(x, 2.5),
    "pow (0)": lambda x: torch.pow(x, 0.0),
    "pow (0.5)": lambda x: torch.pow(x, 0.5),
    "pow (-2)": lambda x: torch.pow(x, -2.0),
    "clamp": lambda x: torch.clamp(x, -0.5, 0.6),
    "square": torch.square,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log2": torch.log2,
    "log10": torch.log10,
    "erfc": torch.erfc,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "sign": torch.sign,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "trunc": torch.trunc,
    "relu6": F.relu6,
    "hardtanh": F.hardtanh,
    "hardtanh (-0.5 to 0.6)": lambda x: F.hardtanh(x, -0.5, 0.6),
    "leaky_relu": F.leaky_relu,
    "leaky_relu (0.3)": lambda x: F.leaky_relu(x, 0.3),
    "elu": F.elu,
    "elu (0.7)": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": F.celu,
    "celu (0.7)": lambda x: torch.ops.aten.elu(x, 0.7, 1.0, 1 / 0.7),  # F.celu's own gradient rounds 1 / 0.7 to f32
    "log_sigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "silu": F.silu,
    "mish": F.mish,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "abs": torch.abs,
    "relu": torch.relu,
    "softplus": lambda x: F.softplus(x, threshold=50),  # the line it turns into lies within rounding
    "gelu": F.gelu,
    "gelu (tanh)": lambda x: F.gelu(x, approximate="tanh"),
}
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "squared_difference": lambda a, b: torch.square(a - b),
    "pow": torch.pow,
    "atan2": torch.atan2,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "fused": lambda a, c: a * torch.sigmoid(c) + 0.5 * torch.tanh(a * c),
}


def rounded(values, dtype):
    return torch.tensor(values, dtype=torch.float64).to(dtype).tolist()


def points(dtype):
    """Of one operand: zeros, the ends of the range, where exp and others leave it, bounds, large angles, nan.

    Off the last values that exp has: PyTorch's own f64 exp is infinite from 1e-6 below the first that has to be.
    """
    info = torch.finfo(dtype)
    least = 2.0**-149 if dtype == torch.float32 else 2.0**-1074
    overflow, underflow = math.log(info.max), -math.log(least)
    values = [0.0, least, info.tiny, info.eps, 0.5, 0.6, 1 - info.eps / 2, 1.0, 1 + info.eps, 1.5, 2.0, 2.5,
              3.0, 6.0, 9.1, 15.6653357, 20.0, 380327.295, 1e6, 1e10,
              info.max / 2, info.max, overflow - 0.2, overflow * (1 - info.eps) - 1e-4, overflow * (1 + 2 * info.eps),
              -math.log(info.tiny) + 0.5, underflow - 1, underflow + 1, info.max**0.5 * 1.5, math.inf]
    return rounded([s * v for v in values for s in (1, -1)] + [math.nan], dtype)


def pairs(dtype):
    info = torch.finfo(dtype)
    values = [0.0, 2.0**-149 if dtype == torch.float32 else 2.0**-1074, 0.5, 1.0, 3.0, info.max, math.inf]
    values = rounded([s * v for v in values for s in (1, -1)] + [math.nan], dtype)
    return [[a for a in values for b in values], [b for a in values for b in values]]


def gradients(f, operands, dtype):
    leaves = [torch.tensor(v, dtype=dtype, requires_grad=True) for v in operands]
    y = f(*leaves)
    y.backward(torch.ones_like(y))
    return [leaf.grad.tolist() for leaf in leaves]


def plain(value):
    """JSON has no word for nan and infinity: they, and they alone, are strings."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value if math.isfinite(value) else str(value)


def main():
    lines = [f'"torch": "{torch.__version__}"']
    for name, dtype in (("f64", torch.float64), ("f32", torch.float32)):
        unary, binary = [points(dtype)], pairs(dtype)
        lines.append(f'"{name} unary": {json.dumps(plain(unary))}')
        lines.append(f'"{name} binary": {json.dumps(plain(binary))}')
        for ops, operands in ((UNARY, unary), (BINARY, binary)):
            for title, f in ops.items():
                lines.append(f'"{name} {title}": {json.dumps(plain(gradients(f, operands, dtype)))}')
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
