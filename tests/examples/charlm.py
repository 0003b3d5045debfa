"""The quick run of examples/charlm: with its residual stream the transformer learns more than frequencies, cut less.

usage: charlm.py PROGRAM
"""

import json
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--seed", "1", "--seeds", "3", "--out", out], check=True)
    more = json.loads((pathlib.Path(out) / "result.json").read_text())["more"]
    missing = subprocess.run([sys.argv[1], "--out", out, out + "/none.txt"], capture_output=True, text=True)

assert len(more["residual"]) == len(more["cut"]) == 3, more
assert all(bits < more["frequencies"] for bits in more["residual"]), more
assert all(whole < cut for whole, cut in zip(more["residual"], more["cut"])), more
# Samples of both nets at three moments.
assert len(more["samples"]) == 6 and all(len(sample["text"]) == 121 for sample in more["samples"]), more["samples"]
assert missing.returncode == 1 and missing.stderr.count("\n") == 1, missing
