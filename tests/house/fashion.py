"""Runs examples/fashion on a tiny data set: what is interrupted and taken up again must end as a run that was left
alone, and mistakes must end in one line that names the option. usage: fashion.py PROGRAM"""
import json
import os
import pathlib
import random
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
RUN = ["--epochs", "2", "--depth", "8", "--batch", "32", "--threads", "1"]


def write_idx(path, sizes, data):
    path.write_bytes(bytes([0, 0, 8, len(sizes)]) + b"".join(struct.pack(">I", n) for n in sizes) + data)


def make_data(dir, train, test):
    draw = random.Random(1)
    dir.mkdir()
    for prefix, n in (("train", train), ("t10k", test)):
        labels = bytes(draw.randrange(10) for _ in range(n))
        images = b"".join(bytes((25 * label + draw.randrange(60)) % 256 for _ in range(64)) for label in labels)
        write_idx(dir / f"{prefix}-images-idx3-ubyte", (n, 8, 8), images)
        write_idx(dir / f"{prefix}-labels-idx1-ubyte", (n,), labels)


def result(out):
    """The rows without the time they took, and the tensors of the checkpoint."""
    rows = [line.rsplit(",", 1)[0] for line in (out / "metrics.csv").read_text().splitlines()]
    data = (out / "checkpoint.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")
    start = 8 + length
    return rows, {name: data[start + t["data_offsets"][0] : start + t["data_offsets"][1]] for name, t in header.items()}


def inode(path):
    return path.stat().st_ino if path.exists() else None


def lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def interrupted(arguments, state, cwd="/"):
    """Sends an interrupt as soon as the state of the run's files changes; returns the command that goes on."""
    before = state()
    run = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True, cwd=cwd)
    while state() == before and run.poll() is None:
        time.sleep(0.001)
    run.send_signal(signal.SIGINT)
    text = run.communicate()[0]
    assert run.returncode == -signal.SIGINT, f"ended with {run.returncode}: {text}"
    return shlex.split(text.split("To go on: ")[1])[1:]


def refused(arguments, part):
    run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
    text = run.stderr
    assert run.returncode == 1 and text.count("\n") == 1 and part in text and len(text) < 400, f"{arguments}: {text}"


def main(home):
    os.chdir(home)  # some runs get as far as making their default directory
    make_data(home / "data", 320, 3000)
    make_data(home / "other", 256, 10)
    whole, parts = home / "whole", home / "it's in parts"
    run = [*RUN, "--dir", str(home / "data")]
    subprocess.run([PROGRAM, *run, "--out", whole], stdout=subprocess.DEVNULL, check=True)

    # In the first epoch, with a relative --dir; in the evaluation after it; in the second epoch; then to the end.
    metrics, checkpoint = parts / "metrics.csv", parts / "checkpoint.safetensors"
    first = [*RUN, "--dir", "data", "--out", str(parts), "--compare", str(whole)]
    go_on = interrupted(first, lambda: lines(metrics), cwd=home)
    assert go_on[-4:] == ["--threads", "1", "--compare", str(whole)], go_on
    go_on = interrupted(go_on, lambda: inode(checkpoint))
    go_on = interrupted(go_on, lambda: lines(metrics))
    with open(metrics, "a") as file:
        file.write("2,0.5")  # a row that a killed run left half written
    subprocess.run([PROGRAM, *go_on], stdout=subprocess.DEVNULL, check=True)
    assert result(parts) == result(whole), f"{result(parts)[0]} is not {result(whole)[0]}"
    assert (len(list(whole.glob("events.*"))), len(list(parts.glob("events.*")))) == (1, 4)  # one each time

    refused(["--resume", str(checkpoint), "--dir", str(home / "other")], "320 images")
    refused(["--resume", str(checkpoint), "--seed", "2"], "--seed")
    refused([*run, "--seed", "-1"], "--seed")
    refused([*run, "--limit", "-3"], "--limit")
    refused([*run, "--limit", "70000"], "--limit")
    refused([*run, "--out", str(home / "data" / "train-labels-idx1-ubyte")], "--out")
    (home / "bad").mkdir()
    (home / "bad" / "metrics.csv").write_text("epoch,loss\n1,2\n")
    refused([*run, "--compare", str(home / "bad")], "--compare")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        main(pathlib.Path(home))
