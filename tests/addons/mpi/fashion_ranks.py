"""examples/fashion under mpirun: the same command trains on several ranks, is interrupted, and goes on with another
number of them. usage: fashion_ranks.py PROGRAM HOUSE MPIRUN..."""
import pathlib
import shlex
import subprocess
import sys
import tempfile

sys.path.insert(0, sys.argv[2])
import fashion  # tests/house/fashion.py

PROGRAM, MPIRUN = sys.argv[1], sys.argv[3:]


def command(ranks, *arguments):
    return [*(MPIRUN + ["-n", str(ranks)] if ranks else []), PROGRAM, *map(str, arguments)]


def run(ranks, *arguments):
    ended = subprocess.run(command(ranks, *arguments), capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


with tempfile.TemporaryDirectory() as directory:
    home = pathlib.Path(directory)
    fashion.make_data(home / "data", 320, 101)
    options = [*fashion.RUN, "--dir", home / "data", "--out"]

    text = run(4, *options, home / "four")
    assert "4 ranks of 1 threads" in text and text.count("epoch   2/2") == 1, text  # one of them prints
    assert (home / "four" / "curves.png").exists()
    rows, four = fashion.result(home / "four")
    assert run(4, *options, home / "again") and fashion.result(home / "again") == (rows, four), "not the same twice"
    run(1, *options, home / "one")
    run(0, *options, home / "alone")
    assert fashion.result(home / "one") == fashion.result(home / "alone"), "one rank is not what it is without mpirun"
    assert rows[0] == fashion.result(home / "one")[0][0] and rows != fashion.result(home / "one")[0]
    images = [row.split(",") for row in rows[1:]]
    assert all(abs(float(row[4]) * 101 - round(float(row[4]) * 101)) < 1e-9 for row in images), "not every test image once"

    # Interrupted after the first epoch, it says how to go on; two ranks do.
    out = home / "parts"
    process = subprocess.Popen(command(4, *options, out), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while process.stdout.readline()[:9] != "epoch   1":
        assert process.poll() is None
    process.terminate()
    text = process.communicate(timeout=60)[0]
    assert (out / "checkpoint.safetensors").exists()
    run(2, *shlex.split(f"--resume '{out}/checkpoint.safetensors' --threads 1"))
    assert len(fashion.result(out)[0]) == 3

    ended = subprocess.run(command(3, *options, home / "three"), capture_output=True, text=True, timeout=60)
    said = [line for line in ended.stderr.splitlines() if line.startswith("mpi: rank 0")]
    assert ended.returncode != 0 and len(said) == 1, ended.stderr
    assert said[0].endswith("--batch: got 32, needs a multiple of the 3 ranks that share it"), said
    print(said[0])
