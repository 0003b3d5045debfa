"""Tests the map of where a skip layer helps. usage: when.py PROGRAM"""
import itertools
import json
import math
import pathlib
import subprocess
import sys
import tempfile

program = sys.argv[1]
work = pathlib.Path(tempfile.mkdtemp(prefix="when."))


def run(name, *arguments):
    done = subprocess.run([program, "--out", name, *map(str, arguments)], capture_output=True, text=True, cwd=work)
    assert done.returncode == 0, done.stderr
    return json.loads((work / name / "result.json").read_text())["more"]["cells"]


cells = run("quick", "--quick")
assert sorted((c["share"], c["rows"]) for c in cells) == list(itertools.product((0, 0.5, 1), (50, 200, 800)))
for cell in cells:
    for what in ("error", "steps"):
        assert len(cell[what]["mlp"]) == len(cell[what]["skip"]) == 5
        assert all(math.isfinite(value) and value > 0 for net in ("mlp", "skip") for value in cell[what][net]), cell
    if cell["share"] == 1:  # what the skip layer can do alone: not worse, and there in fewer steps
        assert cell["error"]["percent"] < 0 or cell["error"]["p"] > 0.05, cell
        assert cell["steps"]["percent"] < 0, cell

small = ("--rows", 50, "--shares", "0.5,1", "--noises", 0.3, "--hidden", 4, "--seeds", 2, "--seed", 9)
assert run("once", *small) == run("again", *small)
assert run("once", *small) != run("other", *small[:-1], 10)

for arguments, message in {
    "--rows 5": "--rows: Value 5 not in range 20 to 1000000",
    "--shares 1.5": "--shares: Value 1.5 not in range 0.000000 to 1.000000",
}.items():
    done = subprocess.run([program, *arguments.split()], capture_output=True, text=True, cwd=work)
    assert (done.returncode, done.stderr) == (1, f"when: {message}\n"), done
