"""The study of singularities in its quick mode: Lanczos's method against all eigenvalues of each net's Hessian.
usage: singularities.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile

NETS = ["plain", "residual", "hyper-residual"]
OUTER = 1e-6      # relative error of the lowest and highest eigenvalues, after 120 steps
SHARES = 0.05     # error of the shares of eigenvalues, from two probes


def main(program):
    with tempfile.TemporaryDirectory() as out:
        subprocess.run([program, "--quick", "--seed", "1", "--out", out], check=True, stdout=subprocess.DEVNULL)
        result = json.loads((pathlib.Path(out) / "result.json").read_text())
    for net in NETS:
        check = result["more"]["check"][net]
        size = check["highest"]["exact"]
        assert size > 0 > check["lowest"]["exact"], (net, check)
        for end in ("lowest", "highest"):
            assert abs(check[end]["lanczos"] - check[end]["exact"]) < OUTER * size, (net, end, check[end])
        for share in ("near_zero", "negative"):
            assert abs(check[share]["lanczos"] - check[share]["exact"]) < SHARES, (net, share, check[share])
        assert 0 < result["more"]["degenerate"][net] < 1, (net, result["more"]["degenerate"])


main(sys.argv[1])
