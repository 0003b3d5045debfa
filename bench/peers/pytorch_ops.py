#!/usr/bin/python3
"""The op table's benchmarks beside the same ops in PyTorch: f32, one thread, what takes longer than PyTorch first.

usage: bench/peers/pytorch_ops.py WEFT_BENCH [--filter REGEX] [--rounds N] [--page FILE.md]

PyTorch's side is the function that tests/figures has for the row, called from Python, which costs it about a
microsecond a call: at 1,000 elements that counts. Backward takes the gradients of all inputs from random cotangents.
Where PyTorch gives a view, its copy is timed with it: the results and gradients of both have memory of their own.
The rounds alternate between the two; of each the least mean counts.
"""
import argparse
import collections
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import warnings

import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/figures"))
import ops as figures  # noqa: E402

SECONDS = 0.02


def drawn(of):
    """One input as make_inputs draws it, from its domain."""
    shape, low, high = of["shape"], of["low"], of["high"]
    dtype = {"f64": torch.float32, "i64": torch.int64, "u8": torch.uint8}[of["dtype"]]
    if of["domain"] == "normal":
        return torch.randn(shape).to(dtype)
    if of["domain"] == "uniform":
        return (low + (high - low) * torch.rand(shape)).to(dtype)
    if of["domain"] == "integers":
        return torch.randint(int(low), int(high), shape).to(dtype)
    if of["domain"] == "rare":
        return torch.where(torch.rand(shape) < of["chance"], torch.tensor(float(high)), torch.tensor(float(low))).to(dtype)
    steps = math.prod(shape)
    return (0.1 * (torch.randperm(steps) - steps // 2) + 0.05).reshape(shape).to(dtype)


def microseconds(run):
    """The mean of as many runs as fit the time, as Google Benchmark has it."""
    run()
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            run()
        passed = time.perf_counter() - start
        if passed > SECONDS:
            return passed / count * 1e6
        count = max(2 * count, math.ceil(1.2 * count * SECONDS / max(passed, 1e-9))) if passed < SECONDS / 10 else 2 * count


def own(t):
    """A tensor with memory of its own, as weft gives it: a view, or an expanded gradient, is copied."""
    return t.clone(memory_format=torch.contiguous_format) if t._base is not None or not t.is_contiguous() else t


def pytorch_times(row, kinds):
    function = figures.ROWS[row["title"]]
    inputs = [drawn(of) for of in row["inputs"]]
    found = {}

    def results():
        made = function(*inputs)
        return [made] if isinstance(made, torch.Tensor) else list(made)

    if "forward" in kinds:
        with torch.no_grad():
            found["forward"] = microseconds(lambda: [own(r) for r in results()])
    if "forward_backward" in kinds:
        leaves = [t.requires_grad_(True) for t in inputs if t.is_floating_point()]
        cotangents = [torch.randn(r.shape) for r in results() if r.requires_grad]

        def gradients():
            recorded = [own(r) for r in results() if r.requires_grad]
            return [own(g) for g in torch.autograd.grad(recorded, leaves, cotangents, allow_unused=True) if g is not None]

        found["forward_backward"] = microseconds(gradients)
    return found


def weft_times(program, pattern, folder):
    out = os.path.join(folder, "weft.json")
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    subprocess.run([program, f"--benchmark_filter=^op/({pattern})/(forward|forward_backward)/", f"--benchmark_min_time={SECONDS}",
                    f"--benchmark_out={out}", "--benchmark_out_format=json"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, env=environment)
    units = {"ns": 1e-3, "us": 1, "ms": 1e3}
    found = {}
    for run in json.loads(pathlib.Path(out).read_text())["benchmarks"]:
        title, kind, size = run["name"][3:].rsplit("/", 2)
        found[title, kind, int(size)] = run["real_time"] * units[run["time_unit"]]
    return found


def table(times):
    """Lines of what takes longer than PyTorch, the worst first."""
    slower = sorted((-weft / pytorch, key) for key, (weft, pytorch) in times.items() if weft > pytorch)
    yield "| op | pass | elements | weft, us | PyTorch, us | weft / PyTorch |"
    yield "|---|---|--:|--:|--:|--:|"
    for ratio, (title, kind, size) in slower:
        weft, pytorch = times[title, kind, size]
        yield f"| {title} | {kind.replace('_', ' + ')} | {size:,} | {weft:.3g} | {pytorch:.3g} | {-ratio:.2f} |"


def summary(times):
    for size in sorted({size for _, _, size in times}):
        ratios = sorted(weft / pytorch for key, (weft, pytorch) in times.items() if key[2] == size)
        yield (f"{size:,} elements: median {ratios[len(ratios) // 2]:.2f} of PyTorch's time, "
               f"{sum(r > 1 for r in ratios)} of {len(ratios)} above 1")


def page(times):
    sizes = sorted({size for _, _, size in times})
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    yield "# Every op beside PyTorch\n"
    yield "Written by `script/bench --pytorch`; how it is timed stands in bench/peers/pytorch_ops.py.\n"
    yield f"- processor: {model}, one thread, f32; PyTorch {torch.__version__}"
    yield from (f"- {line}" for line in summary(times))
    yield "\nWhat takes longer than PyTorch:\n"
    yield from table(times)
    yield "\nTime of weft / time of PyTorch, by the number of elements:\n"
    yield "| op | pass | " + " | ".join(f"{size:,}" for size in sizes) + " |"
    yield "|---|---|" + "--:|" * len(sizes)
    for title, kind in dict.fromkeys((title, kind) for title, kind, _ in times):
        ratios = [weft / pytorch for weft, pytorch in (times[title, kind, size] for size in sizes)]
        yield f"| {title} | {kind.replace('_', ' + ')} | " + " | ".join(f"{r:.2f}" for r in ratios) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--filter", default=".*", help="of titles")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", type=pathlib.Path, help="writes all of it there")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        listed = os.path.join(folder, "inputs.json")
        subprocess.run([args.program], check=True, env={**os.environ, "WEFT_INPUTS": listed})
        rows = [r for r in json.loads(pathlib.Path(listed).read_text()) if r["title"] in figures.ROWS]
        rows = [r for r in rows if re.fullmatch(args.filter, r["title"])]
        failed = {}
        times = collections.defaultdict(lambda: [math.inf, math.inf])
        for round_ in range(args.rounds):
            for (title, kind, size), us in weft_times(args.program.resolve(), args.filter, folder).items():
                times[title, kind, size][0] = min(times[title, kind, size][0], us)
            for done, row in enumerate(rows, 1):
                print(f"\rround {round_ + 1} of {args.rounds}, {done} of {len(rows)} ", end="", file=sys.stderr, flush=True)
                kinds = [k for k in ("forward", "forward_backward") if (row["title"], k, row["size"]) in times]
                try:
                    found = pytorch_times(row, kinds)
                except (IndexError, RuntimeError) as error:  # a function written for the tests' inputs
                    failed[row["title"]] = str(error).splitlines()[0]
                    continue
                for kind, us in found.items():
                    pair = times[row["title"], kind, row["size"]]
                    pair[1] = min(pair[1], us)
    print(file=sys.stderr)
    for title, error in failed.items():
        print(f"{title}: not timed, {error}", file=sys.stderr)
    times = {key: pair for key, pair in times.items() if pair[1] < math.inf}
    print("\n".join([*table(times), *summary(times)]))
    if args.page:
        args.page.write_text("\n".join(page(times)) + "\n")


if __name__ == "__main__":
    main()
