"""Tests the study of skip layers on tables. usage: skip_or_not.py PROGRAM"""
import gzip
import json
import pathlib
import random
import subprocess
import sys
import tempfile

program = sys.argv[1]
work = pathlib.Path(tempfile.mkdtemp(prefix="skip_or_not."))


def run(*arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, cwd=work)


def result(name):
    return json.loads((work / name / "result.json").read_text())


def write(name, header, rows, separator=","):
    text = "".join(separator.join(map(str, row)) + "\n" for row in [header.split(","), *rows])
    (work / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())


def check_quick_run():
    done = run("--quick", "--out", "quick")
    assert done.returncode == 0, done.stderr
    more = result("quick")["more"]
    for data, distance in more["distance_from_least_squares"].items():
        assert distance < 1e-6, f"{data}: trained weights are {distance} from least squares"
    assert more["verdicts"]["friedman"]["hidden units"].startswith("hidden units help"), more["verdicts"]
    beside = more["comparisons"]["friedman"]["MLP + skip - linear"]
    assert beside["high"] < 0 and beside["relative"] < -0.5, beside
    assert 0.5 < more["linear_share"]["friedman"]["MLP + skip"] < 0.9, more["linear_share"]
    alarms = more["false_alarms"]
    assert 0 <= alarms["corrected"] <= 0.1 and alarms["corrected"] < alarms["naive"], alarms
    if "diabetes" in more["verdicts"]:
        assert "essentially linear" in more["verdicts"]["diabetes"]["hidden units"], more["verdicts"]
    else:
        assert "Debian's package python3-sklearn has it" in done.stderr, done.stderr


def check_missing_package():
    done = run("--quick", "--root", work / "nowhere", "--seeds", 1, "--false-alarms", 0, "--out", "without")
    assert done.returncode == 0, done.stderr
    assert list(result("without")["more"]["errors"]) == ["friedman"]
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and all(line.startswith("skip_or_not: no ") for line in lines), lines


def check_own_table(rows):
    """The same seed gives the same bits, and neither the separator nor compression nor the columns' order matters."""
    figures = []
    for name, separator in (("comma.csv", ","), ("semicolon.csv.gz", ";")):
        write(name, "first,second,price", rows, separator)
        done = run(name, "--target", "price", "--quick", "--seeds", 1, "--false-alarms", 0, "--out", name + ".out")
        assert done.returncode == 0, done.stderr
        (errors,) = result(name + ".out")["more"]["errors"].values()
        figures.append(errors)
    assert figures[0] == figures[1], figures


def check_bad_tables(rows):
    def changed(row, column, value):
        return [[value if (r, c) == (row, column) else cell for c, cell in enumerate(cells)]
                for r, cells in enumerate(rows)]

    write("text.csv", "a,b,y", changed(4, 1, "x7"))
    write("nan.csv", "a,b,y", changed(4, 1, "nan"))
    write("hole.csv", "a,b,y", changed(0, 2, ""))
    write("infinite.csv", "a,b,y", changed(4, 0, "inf"))
    write("constant.csv", "a,b,y", [[5, *row[1:]] for row in rows])
    write("few.csv", "a,b,y", rows[:7])
    write("twice.csv", "a,a,y", rows)
    write("ragged.csv", "a,b,y", rows[:10] + [rows[10][:2]] + rows[11:])
    write("numbers.csv", "1,2,3", rows)
    write("one.csv", "y", [row[:1] for row in rows])
    write("good.csv", "a,b,y", rows)
    write("wide.csv", ",".join(f"c{i}" for i in range(20_000)), [])
    write("wider.csv", ",".join(f"c{i}" for i in range(1_000_000)), [])
    write("cells.csv", ",".join(f"c{i}" for i in range(5_000)), [[]] * 3_000)
    (work / "empty.csv").write_text("")
    whole = gzip.compress(("a,b,y\n" + "".join(f"{random.random()},1,2\n" for _ in range(1000))).encode())
    (work / "cut.csv.gz").write_bytes(whole[:len(whole) // 2])
    for arguments, message in {
        "missing.csv": "cannot read missing.csv: No such file or directory",
        ".": ". is not a file",
        "empty.csv": "empty.csv is empty, needs a header",
        "text.csv": 'text.csv:6, column "b": got "x7", needs a number',
        "nan.csv": 'nan.csv:6, column "b": got "nan", needs a number',
        "hole.csv": 'hole.csv:2, column "y": got "", needs a number',
        "infinite.csv": 'infinite.csv row 5 of the data, column "a": got inf, needs a finite number',
        "constant.csv": 'constant.csv column "a" is constant: 5 in every row',
        "few.csv": "few.csv has 7 rows of data, needs at least 30",
        "twice.csv": 'twice.csv:1 names the column "a" twice, needs each once',
        "ragged.csv": "ragged.csv:12 has 2 fields, needs 3 as the first row",
        "numbers.csv": "numbers.csv line 1 has only numbers, needs the columns' names",
        "one.csv": "one.csv line 1 has one column, needs inputs and a target, with commas or semicolons between",
        "wide.csv": "wide.csv line 1 has 20000 columns, at most 10000 are read",
        "wider.csv": "wider.csv line 1 is longer than 2000000 bytes, needs at most 10000 columns",
        "cells.csv": "cells.csv has 3001 lines of 5000 cells, at most 10000000 cells are read",
        "cut.csv.gz": "cut.csv.gz is damaged or cut short",
        "good.csv --target z": 'good.csv has no column "z", it has "a", "b", "y"',
        "--target z": "--target needs a CSV file",
    }.items():
        done = run(*arguments.split(), "--out", "bad")
        assert (done.returncode, done.stderr) == (1, f"skip_or_not: {message}\n"), (arguments, done)


random.seed(3)
table = []
for _ in range(40):
    a, b = random.gauss(0, 1), random.gauss(0, 1)
    table.append([a, b, a - b + random.gauss(0, 0.1)])
check_bad_tables(table)
check_own_table(table)
check_missing_package()
check_quick_run()
