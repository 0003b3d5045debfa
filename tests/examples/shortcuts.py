"""shortcuts --quick with one seed: all kinds train, and the table has them. usage: shortcuts.py PROGRAM"""
import json
import pathlib
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.argv[1], "--quick", "--seeds", "1", "--depth", "8", "--images", "500", "--out", out], check=True)
    result = json.loads((pathlib.Path(out) / "result.json").read_text())

errors = result["more"]["test_error"]
assert len(errors) == 8 and len(result["tables"][0]["rows"]) == 8 and len(result["effects"]) == 7, result
for name, (error,) in errors.items():
    assert 5 < error < 85, (name, error)  # better than guessing, at 90
assert len(set(map(tuple, errors.values()))) > 4, errors  # the kinds are different nets
assert errors["identity"][0] < 60, errors
