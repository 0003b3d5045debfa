#!/usr/bin/python3
"""Values and gradients of the op table's rows in PyTorch, as figures that tests/ops/figures.cpp holds weft against.

usage: tests/figures/ops.py build/release/tests/test_ops_figures     (Debian's python3-torch, 1.13.1)

Asks this program for some inputs of a few cases of each row, and writes ops.json beside this file: for each row a line
with inputs, random cotangents, results, and the gradients of sum(result * cotangent). Of the inputs of a case it takes
the first that say something (not a mask of zeros), and with which PyTorch's f32 stays by its f64: others are badly
conditioned. A new row needs an entry in the ROWS of one of the ops_*.py: its title, and a function of its inputs in
weft's layout that consists of PyTorch's own. The lines of other rows stay as they are.
"""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
import zlib

import numpy
import torch

import ops_elementwise
import ops_linalg
import ops_network
import ops_shape

PARTS = (ops_elementwise, ops_shape, ops_network, ops_linalg)
ROWS = {title: f for part in PARTS for title, f in part.ROWS.items()}
def inputs_of(program):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "inputs.json")
        subprocess.run([program, "--test-case=inputs *"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "WEFT_INPUTS": path})
        return json.loads(pathlib.Path(path).read_text())


def tensor_of(array, floating):
    """Floating numbers are f32's, so that f32 and f64 start from the same."""
    dtype = {"f64": floating, "i64": torch.int64, "u8": torch.uint8}[array["dtype"]]
    values = numpy.array([float(v) for v in array["values"]], numpy.float32)
    return torch.tensor(values.reshape(array["shape"])).to(dtype)


def run(title, inputs, differentiable, dtype):
    """Results, cotangents and gradients, in numpy's arrays."""
    tensors = [tensor_of(array, dtype) for array in inputs]
    leaves = [t.requires_grad_(differentiable) for t in tensors if t.is_floating_point()]
    results = ROWS[title](*tensors)
    results = [results] if isinstance(results, torch.Tensor) else list(results)
    arrays = [y.detach().double().numpy() for y in results]
    if not differentiable:
        return arrays, [], []
    draw = numpy.random.default_rng(zlib.crc32(title.encode()))
    cotangents = [(2 * draw.integers(-16, 16, y.shape) + 1) / 16 for y in arrays]
    total = sum((y * torch.tensor(c, dtype=y.dtype)).sum() for y, c in zip(results, cotangents))
    gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    gradients = [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients)]
    return arrays, cotangents, [g.double().numpy() for g in gradients]


def error(got, want):
    """As weft::testing::difference has it."""
    least = numpy.clip(numpy.sqrt(numpy.mean(want**2)), 1e-4, 1.0) if want.size > 1 else 1.0
    return max((numpy.abs(got - want) / numpy.maximum(least, numpy.abs(want))).flat, default=0.0)


def numbers(array):
    """Twelve digits: the last ones are another processor's or version's already."""
    if not numpy.isfinite(array).all():
        raise ValueError("a result that is not finite")
    return [float(f"{v:.12g}") for v in array.flat]


def says_little(results, gradients):
    """Whether the inputs are a case of their own: nothing but one value, or no slope."""
    return any(y.size > 1 and numpy.ptp(y) == 0 for y in results) or any(y.size and not y.any() for y in gradients)


def figures(title, draws, differentiable):
    """Of the first inputs with which f32 stays by f64, or else by which it stays best."""
    least = (True, math.inf)
    for inputs in draws:
        found = run(title, inputs, differentiable, torch.float64)
        short = run(title, inputs, differentiable, torch.float32)
        strays = max(error(a, b) for got, want in zip(short, found) for a, b in zip(got, want))
        rank = says_little(found[0], found[2]), strays
        if rank < least:
            least, best, (results, cotangents, gradients) = rank, inputs, found
        if least < (False, 1e-6):
            break
    made = {"inputs": best, "results": [{"shape": list(y.shape), "values": numbers(y)} for y in results]}
    if differentiable:
        made["cotangents"] = [numbers(c) for c in cotangents]
        made["gradients"] = [numbers(g) for g in gradients]
    return made


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = inputs_of(sys.argv[1])
    titles = [row["title"] for row in rows]
    if sum(len(part.ROWS) for part in PARTS) != len(ROWS):
        sys.exit("a title stands in two of the ops_*.py")
    missing, unknown = [t for t in titles if t not in ROWS], sorted(ROWS.keys() - set(titles))
    if missing or unknown:
        sys.exit(f"rows without an entry in ops_*.py: {missing}\nentries without a row: {unknown}")
    lines = [f'"torch": "{torch.__version__}"']
    for row in rows:
        try:
            cases = [figures(row["title"], draws, row["differentiable"]) for draws in row["cases"]]
        except (RuntimeError, TypeError, ValueError) as error:
            sys.exit(f"{row['title']}: {error}")
        lines.append(f"{json.dumps(row['title'])}: {json.dumps(cases, separators=(',', ':'))}")
    pathlib.Path(__file__).with_name("ops.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
