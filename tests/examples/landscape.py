"""landscape: the same surface, bit for bit, from the same seed; its centre is the trained net. usage: landscape.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile


def run(*options):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([sys.argv[1], "--quick", "--depth", "8", "--points", "5", "--images", "300", "--epochs", "3",
                        *options, "--out", out], check=True)
        return json.loads((pathlib.Path(out) / "result.json").read_text())["more"]


first, again, other = run(), run(), run("--seed", "2")
for net in ("plain-8", "ResNet-8"):
    heights = first[net]["heights"]
    assert len(heights) == 5 and all(len(row) == 5 for row in heights), heights
    assert heights == again[net]["heights"]  # written with all digits
    assert heights != other[net]["heights"]
    assert first[net]["centre"] == first[net]["trained_loss"], first[net]
    assert heights[2][2] == first[net]["trained_loss"][0]
    assert len({height for row in heights for height in row}) > 20, heights
