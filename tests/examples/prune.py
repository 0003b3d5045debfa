"""The quick run of examples/prune: what L1 on the hidden units leaves of a straight and of a bent table.

usage: prune.py PROGRAM
"""

import json
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--seed", "1", "--seeds", "3", "--out", out], check=True)
    more = json.loads((pathlib.Path(out) / "result.json").read_text())["more"]

assert more["penalty"] == 0.003, more
straight, bent = more["straight"], more["bent"]
assert len(straight["alive"]) == len(bent["alive"]) == 3, more
# Straight: each seed's hidden units are gone, exactly, and the skip layer is least squares.
assert all(alive == 0 for alive in straight["alive"]), straight
assert all(difference < 1e-6 for difference in straight["off_linear"]), straight
# Bent: some are left (3 to 5 on these seeds, of 16), and do better than least squares (0.05 to 0.09 against 0.3).
assert all(2 <= alive <= 8 for alive in bent["alive"]), bent
assert all(error < 0.5 * linear for error, linear in zip(bent["error"], bent["linear_error"])), bent
