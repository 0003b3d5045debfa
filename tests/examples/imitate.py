"""The quick run of examples/imitate: the error's slope, where rounding ends it, and what the optimiser pays.

usage: imitate.py PROGRAM
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--out", out], check=True)
    more = json.loads((pathlib.Path(out) / "result.json").read_text())["more"]


def of_order(value, expected):
    return expected / 10 < value < expected * 10


# Slope 2 on the log-log plot, from w = 0.3 down to 0.06 (f32) and 0.001 (f64).
for unit, error in more["error"].items():
    assert abs(error["slope"] - 2) < 0.1, (unit, error)
# tanh is exact to the last digit; a sigmoid's best is where w^2 meets eps / w, at eps^(2/3), and then it gets worse.
for dtype, epsilon in {"f32": 2.0**-24, "f64": 2.0**-53}.items():
    tanh, sigmoid = more["error"]["tanh, " + dtype], more["error"]["sigmoid, " + dtype]
    assert of_order(tanh["floor"], epsilon) and of_order(tanh["at_1e-8"], epsilon), tanh
    assert of_order(sigmoid["floor"], epsilon ** (2 / 3)), sigmoid
    assert sigmoid["at_1e-8"] > 30 * sigmoid["floor"], sigmoid
# The condition number grows as w falls, without exception, and the steps of gradient descent with it.
cost = more["cost"]
assert cost["w"] == sorted(cost["w"], reverse=True) and len(cost["w"]) > 10, cost
assert all(a < b for a, b in zip(cost["condition"][1:], cost["condition"][2:])), cost
assert abs(cost["condition_slope"] + 8) < 0.5, cost
assert len(cost["steps"]) == 6 and all(math.isfinite(s) for s in cost["steps"]), cost
assert all(a < b for a, b in zip(cost["steps"], cost["steps"][1:])), cost
