"""lesion --quick: a deleted block costs a residual net less than a plain one. usage: lesion.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--out", out], check=True)
    result = json.loads((pathlib.Path(out) / "result.json").read_text())

more = result["more"]
for kind in ("plain", "residual"):
    assert more[kind + "_whole"] < 50, (kind, more)  # trained: guessing is at 90
assert more["residual_deleted"] < more["plain_deleted"], more
assert more["plain_deleted"] > 5, more
