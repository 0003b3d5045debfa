"""Tables from benchmark results: of one run, of two runs beside each other, and of weft beside libtorch.

usage: bench_report.py table RUN.json
       bench_report.py compare OLD.json NEW.json
       bench_report.py roofline RUN.json PICTURE     (.png and .svg)
       bench_report.py peers WEFT_PEER LIBTORCH_PEER PAGE.md [THREADS[,THREADS...]]
"""
import collections
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

NOISE = 0.10  # a change of time smaller than this says nothing
ROUNDS = 3
BY_HAND = "<!-- below by hand -->\n"
GROUPS = ["dispatch_chain", "mlp_small", "mlp", "mlp_regression", "resmlp1000", "resnet20", "resnet20_cl",
          "resnet20_fashion", "resnet110", "resnet1202", "densenet40", "densenet40_recompute", "sequences", "transformer",
          "ew", "fused", "reduce", "movement", "gemm", "conv"]
# So that libtorch, which has no pool, does not get its memory from the system anew at every step.
MALLOC = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
KERNELS = {}  # OpenBLAS's, by peer
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def load(path):
    """{name: (seconds, rate, unit of the rate)}; of repeated runs the median."""
    runs = collections.defaultdict(list)
    for row in json.loads(pathlib.Path(path).read_text())["benchmarks"]:
        if row.get("run_type") != "aggregate" and not row.get("error_occurred"):
            runs[row.get("run_name", row["name"])].append(row)
    result = {}
    for name, rows in runs.items():
        row = sorted(rows, key=lambda r: r["real_time"])[len(rows) // 2]
        rate, unit = "", ""
        if "bytes_per_second" in row:
            rate, unit = row["bytes_per_second"] / 1e9, "GB/s"
        for counter, label in (("FLOPS", "GFLOP/s"), ("flops", "GFLOP/s"), ("FLOP/s", "GFLOP/s")):
            if counter in row:
                rate, unit = row[counter] / 1e9, label
        if "s/node" in row:
            rate, unit = row["s/node"] * 1e9, "ns/node"
            if "peak_bytes/node" in row:
                unit += f", {row['peak_bytes/node']:.0f} bytes/node at the peak"
        result[name] = (row["real_time"] * SECONDS[row["time_unit"]], rate, unit)
    return result


def short(seconds):
    for unit, scale in SECONDS.items():
        if seconds < 1000 * scale or unit == "s":
            return f"{seconds / scale:.3g} {unit}"


def by_size(name):
    """Sorts 1000 before 50000 before 2000000."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def table(path):
    for name, (seconds, rate, unit) in sorted(load(path).items(), key=lambda row: by_size(row[0])):
        print(f"{name:<56} {short(seconds):>10}" + (f" {rate:>8.1f} {unit}" if unit else ""))


def compare(old_path, new_path):
    old, new = load(old_path), load(new_path)
    changes = sorted(((new[n][0] / old[n][0], n) for n in new if n in old), reverse=True)
    for title, rows in (("slower", [c for c in changes if c[0] > 1 + NOISE]),
                        ("faster", [c for c in changes[::-1] if c[0] < 1 / (1 + NOISE)])):
        print(f"{len(rows)} of {len(changes)} {title} by more than {NOISE:.0%}")
        for ratio, name in rows:
            print(f"  {name:<56} {short(old[name][0]):>10} -> {short(new[name][0]):>10}  x{ratio:.2f}")
    for title, names in (("only in the old run", old.keys() - new.keys()), ("new", new.keys() - old.keys())):
        if names:
            print(f"{title}: {', '.join(sorted(names))}")


def roofline(path, picture):
    """Each op as a share of what the machine could do, the worst first, and where it stands under the roof."""
    run = json.loads(pathlib.Path(path).read_text())
    shares, points = collections.defaultdict(dict), collections.defaultdict(list)
    for row in run["benchmarks"]:
        name = row.get("run_name", row["name"]).split("/")
        if name[0] != "op" or "of_limit" not in row or row.get("run_type") == "aggregate":
            continue
        title, kind, size = "/".join(name[1:-2]), name[-2], int(name[-1])
        shares[title].setdefault(kind, {}).setdefault(size, []).append(row["of_limit"])
        if kind == "forward":
            work = row["operations"] or row["elements"]  # one operation an element, where none are counted
            points[title, size].append((work / row["bytes"], work / (row["real_time"] * SECONDS[row["time_unit"]]) / 1e9))
    if not shares:
        sys.exit(f"{path}: no benchmarks of ops")
    kinds = ["raw", "forward", "forward_backward"]
    sizes = sorted({size for kinds_of in shares.values() for by in kinds_of.values() for size in by})
    middle = lambda title, kind, size: statistics.median(shares[title].get(kind, {}).get(size, [float("nan")]))
    print(f"{'share of the limit':<40}" + "".join(f"{kind:^{9 * len(sizes)}}" for kind in kinds))
    print(f"{'op':<40}" + "".join(f"{size:>9}" for _ in kinds for size in sizes))
    for title in sorted(shares, key=lambda title: middle(title, "forward", sizes[-1])):
        cells = [middle(title, kind, size) for kind in kinds for size in sizes]
        print(f"{title:<40}" + "".join(f"{cell:>9.2f}" if cell == cell else " " * 9 for cell in cells))
    draw_roofline(run["context"], points, sizes[-1], picture)


def labelled(points, peak, rate):
    """(x, y, label), those furthest below the roof first; a label that would cover another is left out."""
    height, width = 780 / 6, 1250 / 5  # about as many pixels a decade
    taken = []
    for title, (x, y) in sorted(points.items(), key=lambda point: point[1][1] / min(peak, rate * point[1][0])):
        label = title.split(" (")[0]
        left, top = math.log10(x) * width, math.log10(y) * height
        right = left + 6 * len(label) + 8
        free = all(left > r or right < l or abs(top - t) > 11 for l, r, t in taken)
        if free:
            taken.append((left, right, top))
        yield x, y, label if free else ""


def draw_roofline(context, points, size, picture):
    peak = float(context["multiply_add_f32"]) / 1e9
    streams = {int(key.split("_")[1]): float(value) / 1e9 for key, value in context.items() if key.startswith("stream_")}
    points = {title: [statistics.median(v) for v in zip(*runs)] for (title, n), runs in points.items() if n == size}
    data = "\n".join(f'{x} {y} "{label}"' for x, y, label in labelled(points, peak, min(streams.items(), default=(0, 1))[1]))
    roofs = ", ".join(f"min({peak}, {rate} * x) title '{bytes >> 10} KiB: {rate:.0f} GB/s' with lines"
                      for bytes, rate in sorted(streams.items()))
    for terminal, suffix in (("pngcairo size 1400,900", "png"), ("svg size 1400,900", "svg")):
        commands = f"""set terminal {terminal} noenhanced font 'sans,11'
set output '{picture}.{suffix}'
set logscale xy
set xrange [0.02:2000]
set xlabel 'operations a byte'
set ylabel 'GFLOP/s (one operation an element where none are counted)'
set title 'Forward of about {size:,} elements, f32, one thread; multiply-add peak {peak:.0f} GFLOP/s'
set key left top
set linetype 5 lc rgb '#333333'
set grid
min(a, b) = a < b ? a : b
$points << EOD
{data}
EOD
plot {roofs}, $points using 1:2 notitle with points pt 7 ps 0.7, '' using 1:2:3 notitle with labels offset 0.5,0.3 left font ',8'
"""
        subprocess.run(["gnuplot"], input=commands, text=True, check=True)
    print(f"Wrote {picture}.png and {picture}.svg")


def run_peer(program, threads, group):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # some machines set them; a user has what BLAS chooses
        environment.pop(name, None)
    environment["GLIBC_TUNABLES"] = MALLOC
    done = subprocess.run([program, str(threads), group], capture_output=True, text=True, env=environment, timeout=900)
    if done.returncode != 0:
        sys.exit(f"{program} {threads} {group}: exit {done.returncode}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def measure(weft, libtorch, threads):
    """{peer: {case: [row of each round]}}, each case group in a process of its own, the peers in turn."""
    rows = {"weft": collections.defaultdict(list), "libtorch": collections.defaultdict(list)}
    for group in GROUPS:
        print(f"{group}, {threads} thread(s)", file=sys.stderr)
        for _ in range(ROUNDS):
            for peer, program in (("weft", weft), ("libtorch", libtorch)):
                for row in run_peer(program, threads, group):
                    if "blas" in row:
                        KERNELS[peer] = row["blas"]
                    else:
                        rows[peer][row["case"]].append(row)
    return rows


def peer_table(rows):
    lines = ["| case | unit | weft | libtorch | weft / libtorch | peak MB, weft | peak MB, libtorch |",
             "|---|---|---:|---:|---:|---:|---:|"]
    middle = lambda runs, key: statistics.median(run[key] for run in runs)
    for case, theirs in rows["libtorch"].items():
        ours = rows["weft"].get(case)
        if ours:
            ratio = middle(ours, "seconds") / middle(theirs, "seconds")
            lines.append(f"| {case} | {theirs[0]['unit']} | {middle(ours, 'value'):.4g} | {middle(theirs, 'value'):.4g} | "
                         f"{ratio:.2f} | {middle(ours, 'max_rss_mb'):.0f} | {middle(theirs, 'max_rss_mb'):.0f} |")
    missing = [case for case in rows["libtorch"] if case not in rows["weft"]]
    if missing:
        lines += ["", "Measured in libtorch only: " + ", ".join(missing) + "."]
    return lines


def repeated(benchmarks, pattern, repetitions, seconds):
    """The runs of weft_bench whose names match, their repetitions mixed."""
    command = [benchmarks, f"--benchmark_filter={pattern}", f"--benchmark_repetitions={repetitions}",
               "--benchmark_enable_random_interleaving=true", f"--benchmark_min_time={seconds}", "--benchmark_format=json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        sys.exit(f"{benchmarks}: exit {done.returncode}\n{done.stderr}")
    return [row for row in json.loads(done.stdout)["benchmarks"] if row.get("run_type") != "aggregate"]


def flatness(benchmarks):
    """What a node costs by the graph's length: a chain of additions and products of 16 floats."""
    times = collections.defaultdict(list)
    for row in repeated(benchmarks, "engine/chain/forward_backward", 40, 0.05):
        times[int(row["run_name"].split("/")[-1])].append(row["s/node"] * 1e9)
    return ["| nodes | ns/node, median of 40 | least |", "|---:|---:|---:|"] + [
        f"| {nodes:,} | {statistics.median(runs):.1f} | {min(runs):.1f} |" for nodes, runs in sorted(times.items())]


def loading(benchmarks):
    """What a training step costs by the loader's threads, where examples are computed and where they are waited for."""
    times = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in repeated(benchmarks, "data/step", 9, 0.5):
        _, _, kind, _, threads, *_ = row["run_name"].split("/")
        times[int(threads)][kind].append(row["real_time"] * SECONDS[row["time_unit"]] * 1e3)
    cells = lambda runs: f"{statistics.median(runs):.1f} | {min(runs):.1f}" if runs else " | "
    return ["| threads | ms/step, computed | least | ms/step, waited for | least |", "|---:|---:|---:|---:|---:|"] + [
        f"| {threads} | {cells(by['computed'])} | {cells(by['awaited'])} |" for threads, by in sorted(times.items())]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def version(command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def peers(weft, libtorch, page, threads="1"):
    text = ["# Performance", "",
            "Written by `script/bench --peers`: the same work in weft and in libtorch, each case in a process of its own,",
            f"the two in turn, {ROUNDS} rounds, medians. Times drift from machine to machine; the ratio is what to quote",
            "(below 1: weft is faster). Peak memory is the process's, libraries included. Both run with malloc told to keep",
            f"its memory (GLIBC_TUNABLES={MALLOC}):",
            "by default libtorch gets its tensors from the system anew, step after step, and is slower by what a page",
            "fault costs on the machine.", "",
            f"- Processor: {processor()}, {os.cpu_count()} cores", f"- Compiler: {version(['c++', '--version'])}",
            f"- libtorch: {version(['dpkg-query', '-W', '-f=${Version}', 'libtorch-dev'])} (Debian); "
            f"OpenBLAS: {version(['dpkg-query', '-W', '-f=${Version}', 'libopenblas-openmp-dev'])}, no variables set"]
    at = len(text)
    for count in threads.split(","):
        lines = peer_table(measure(weft, libtorch, int(count)))
        print("\n".join(lines))
        text += ["", f"## {count} thread{'s' if int(count) > 1 else ''}", ""] + lines
    text.insert(at, "- OpenBLAS's kernels, as each process says: " + ", ".join(f"{peer} {name}" for peer, name in sorted(KERNELS.items())))
    print("the chain by its length", file=sys.stderr)
    lines = flatness(pathlib.Path(weft).with_name("weft_bench"))
    print("\n".join(lines))
    text += ["", "## A node, by the length of the graph", "",
             "A chain of additions and products of 16 floats in turn: forward, backward and dropping it, in weft, one",
             "thread, the lengths interleaved. The least is what a quiet machine gives; neighbours raise the median.", ""] + lines
    print("the loader's threads", file=sys.stderr)
    lines = loading(pathlib.Path(weft).with_name("weft_bench"))
    print("\n".join(lines))
    text += ["", "## A training step, by the loader's threads", "",
             "A step of ResNet-8 on 32 images, one thread, and who prepares the batches: at 0 the training loop itself, else",
             "`.threads` of the loader. Images are computed (turned, of 320 x 320 pixels) or waited for (0.7 ms each, as for a",
             "disk). Medians of 9 and the least; alone: `script/bench --benchmark_filter=data/step`.", ""] + lines
    # What people wrote below the figures stays.
    page = pathlib.Path(page)
    _, mark, by_hand = page.read_text().partition(BY_HAND) if page.exists() else ("", "", "")
    page.write_text("\n".join(text) + "\n" + ("\n" + mark + by_hand if mark else ""))


if __name__ == "__main__":
    commands = {"table": table, "compare": compare, "roofline": roofline, "peers": peers}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
