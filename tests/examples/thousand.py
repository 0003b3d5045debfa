"""thousand --quick: computing again saves memory and changes no bit; deep nets train. usage: thousand.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--seeds", "1", "--out", out], check=True)
    more = json.loads((pathlib.Path(out) / "result.json").read_text())["more"]

assert more["same_loss"], more
for net, ways in more["cost"].items():
    kept = ways["everything kept"]["bytes"]
    assert ways["batch norm and ReLU again"]["bytes"] < 0.9 * kept, (net, ways)
    assert ways["segments of blocks again"]["bytes"] < 0.5 * kept, (net, ways)
    assert ways["segments and batch norm again"]["bytes"] <= ways["segments of blocks again"]["bytes"], (net, ways)
for net, losses in more["losses"].items():
    assert losses[0][-1] < losses[0][0], (net, losses)
