"""degradation --quick: the deeper plain net trains worse, and the residual one loses less. usage: degradation.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--seeds", "1", "--out", out], check=True)
    result = json.loads((pathlib.Path(out) / "result.json").read_text())

rows = result["tables"][0]["rows"]
assert [row[0] for row in rows] == ["plain-8", "plain-32", "ResNet-8", "ResNet-32"], rows
assert rows[0][1] == rows[2][1] and rows[1][1] == rows[3][1], "plain and residual nets have the same number of parameters"
for row in rows:
    assert 0 <= row[2] < 90 and 0 < row[3] < 90, row
plain, residual = result["more"]["plain_rise"][0], result["more"]["residual_rise"][0]
assert plain > 8, plain  # 24 points were seen with the seeds 1 and 2
assert residual < plain / 2, (residual, plain)
