"""The study of layer responses in its quick mode: a figure for each 3x3 layer, and the residual nets respond less
where the plain ones learn too. usage: responses.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile


def main(program):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([program, "--quick", "--seed", "1", "--out", out], check=True, stdout=subprocess.DEVNULL)
        more = json.loads((pathlib.Path(out) / "result.json").read_text())["more"]
    for kind in ("plain", "residual"):
        for depth in (20, 32, 56):
            layers = more["by_layer"][f"{kind}-{depth}"]
            assert len(layers) == depth - 1, (kind, depth, len(layers))  # all but the linear one
            assert all(0 < layer < float("inf") for layer in layers), (kind, depth, layers)
            assert abs(sum(layers) / len(layers) - more["mean"][f"{kind}-{depth}"]) < 1e-9, (kind, depth)
    for depth in (20, 32):
        assert more["mean"][f"residual-{depth}"] < more["mean"][f"plain-{depth}"], (depth, more["mean"])


main(sys.argv[1])
