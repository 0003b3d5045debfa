"""The quick run of examples/optimisers: every optimiser learns beside shortcuts, and Adam no worse than without them.

usage: optimisers.py PROGRAM
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--seed", "1", "--seeds", "3", "--out", out], check=True)
    more = json.loads((pathlib.Path(out) / "result.json").read_text())["more"]

assert set(more) == {"table", "images"}, more
for task, methods in more.items():
    assert len(methods) == 6, methods
    for name, losses in methods.items():
        assert len(losses["skipped"]) == 3, losses
        halved = [last < 0.5 * first for first, last in zip(losses["first"], losses["skipped"])]
        # Rates are chosen on other seeds: a run of plain gradient descent may leave the rails (1 of these 3 does).
        assert sum(halved) >= 2 and (all(halved) or name == "Sgd"), (task, name, losses)
    adam = {net: statistics.mean(methods["Adam"][net]) for net in ("plain", "skipped")}
    # The spread over seeds is a fifth of a loss: within that margin the shortcuts cost Adam nothing.
    assert adam["skipped"] < 1.2 * adam["plain"], (task, adam)
