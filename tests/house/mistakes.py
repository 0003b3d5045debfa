#!/usr/bin/env python3
"""How many lines of a compiler's message stand before the one that names the mistake: mistakes.cpp, part by part.

usage: mistakes.py COMPILER INCLUDE_DIR [--limit N] [--show NAME]
Fails if a part compiles, or if the line that names its mistake comes after the limit (8)."""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("compiler")
parser.add_argument("include")
parser.add_argument("--limit", type=int, default=8)
parser.add_argument("--show", help="print the message of the mistakes whose name contains this")
args = parser.parse_args()

prelude, *parts = re.split(r"^//! ", pathlib.Path(__file__).with_suffix(".cpp").read_text(), flags=re.MULTILINE)
failed = False
with tempfile.TemporaryDirectory() as folder:
    header = pathlib.Path(folder) / "prelude.hpp"
    header.write_text("#pragma once\n" + prelude)
    flags = ["-std=c++20", "-w", "-I", args.include]
    clang = "clang" in subprocess.run([args.compiler, "--version"], capture_output=True, text=True).stdout
    compiled = header.with_suffix(".hpp.pch" if clang else ".hpp.gch")
    subprocess.run([args.compiler, *flags, "-x", "c++-header", header, "-o", compiled], check=True)
    use = ["-include-pch", str(compiled)] if clang else ["-include", str(header)]
    print(f"{'line':>4} {'of':>4}  mistake")
    for part in parts:
        title, code = part.split("\n", 1)
        name, pattern = (text.strip() for text in title.split(" | ", 1))
        source = pathlib.Path(folder) / "mistake.cpp"
        source.write_text(code)
        run = subprocess.run([args.compiler, *flags, *use, "-fsyntax-only", source], capture_output=True, text=True)
        lines = run.stderr.splitlines()
        named = next((i for i, line in enumerate(lines, 1) if re.search(pattern, line)), None)
        bad = run.returncode == 0 or named is None or named > args.limit
        failed |= bad
        shown = "none" if run.returncode == 0 else named or "-"
        print(f"{shown:>4} {len(lines):>4}  {name}{'   <-- compiles' if run.returncode == 0 else '   <--' if bad else ''}")
        if args.show is not None and args.show in name:
            print(run.stderr)
sys.exit(failed)
