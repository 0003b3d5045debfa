#!/usr/bin/env python3
"""The C++ in the manuals, as programs: what a reader would type.

usage: guide.py extract FOLDER MANUAL...      writes guide.cpp, and a program_N.cpp for each block with a main of its own
       guide.py compare PROGRAM MANUAL...     runs guide.cpp's program: its output is that of the ```text blocks
       guide.py update  PROGRAM MANUAL...     writes the output into the manuals instead

The ```cpp blocks of a section (##) are one function; what begins at the left with struct or #include stands before it. A
hidden line of C++ is <!-- cpp: line -->. A block's output is the ```text block right after it; without one there is none.
What differs from run to run is not printed: a hidden std::cout.setstate(std::ios::failbit) lasts for a block."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PIECE = re.compile(r"^```(?P<kind>\w*)\n(?P<code>.*?)^```$\n?|^<!-- cpp: (?P<hidden>.*?) -->$|^## ", re.M | re.S)
MAIN = re.compile(r"\bint main\(|^BENCHMARK_MAIN|IMPLEMENT_WITH_MAIN", re.M)
MARK = "---- block "


class Block:
    def __init__(self, text, match):
        kind = "code" if match["hidden"] is None else "hidden"
        self.code = match[kind].removesuffix("\n") + "\n"
        self.line = text[: match.start(kind)].count("\n") + 1
        self.shown = kind == "code"
        self.alone = bool(MAIN.search(self.code))
        self.end = match.end()
        self.output = None  # the match of its text block


def sections(manual):
    """Lists of blocks; one with a main of its own is a list by itself."""
    text = pathlib.Path(manual).read_text()
    parts = [[]]
    for match in PIECE.finditer(text):
        if match["kind"] == "cpp" or match["hidden"] is not None:
            block = Block(text, match)
            if block.alone:
                parts.insert(-1, [block])
            else:
                parts[-1].append(block)
        elif match["kind"] == "text" and parts[-1] and parts[-1][-1].end == match.start():
            parts[-1][-1].output = match
        elif match["kind"] is None:
            parts.append([])
    return [part for part in parts if part]


def numbered(manuals):
    """(manual, section's number, its blocks)"""
    everything = [(manual, part) for manual in manuals for part in sections(manual)]
    return [(manual, number, part) for number, (manual, part) in enumerate(everything)]


def extract(folder, manuals):
    includes = ["cmath", "fstream", "iostream", "weft/weft.hpp"]
    functions, programs, parts = [], [], numbered(manuals)
    for manual, number, part in parts:
        if part[0].alone:
            programs.append(f'#line {part[0].line} "{manual}"\n{part[0].code}')
            continue
        outside, inside = "", ""
        for i, block in enumerate(part):
            inside += f'#line {block.line} "{manual}"\n'
            structure = False
            for offset, code in enumerate(block.code.splitlines()):
                include = re.match(r"#include <(.*)>", code)
                structure = structure or code.startswith("struct ")
                if structure:
                    outside += f'#line {block.line + offset} "{manual}"\n{code}\n'
                if include:
                    includes.append(include[1])
                inside += "\n" if structure or include else code + "\n"
                structure = structure and not code.startswith("};")
            if block.shown:
                inside += f'std::cout.clear();\nstd::cout << "{MARK}{number} {i}" << std::endl;\n'
        functions.append(f"{outside}\nvoid section_{number}() {{\nstd::cout << std::noboolalpha;\n{inside}}}\n")
    calls = "".join(f"  section_{number}();\n" for _, number, part in parts if not part[0].alone)
    head = "".join(f"#include <{name}>\n" for name in dict.fromkeys(includes)) + "using namespace weft;\n"
    write(folder, "guide.cpp", head + "".join(functions) + f"int main() {{\n{calls}}}\n")
    for old in pathlib.Path(folder).glob("program_*.cpp"):
        if int(old.stem.removeprefix("program_")) >= len(programs):
            old.unlink()
    for i, program in enumerate(programs):
        write(folder, f"program_{i}.cpp", program)


def write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def outputs(program):
    """What each block printed, by the numbers of its section and itself."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([os.path.abspath(program)], cwd=folder, capture_output=True, text=True, timeout=240)
    if run.returncode != 0 or run.stderr:
        sys.exit(f"{run.stdout}{run.stderr}\nguide: the program ended with {run.returncode}")
    pieces = re.split(rf"^{MARK}(\d+ \d+)\n", run.stdout, flags=re.M)
    return {pieces[i + 1]: re.sub(r"[ \t]+$", "", pieces[i], flags=re.M) for i in range(0, len(pieces) - 1, 2)}


def check(program, manuals, update):
    printed, edits = outputs(program), {manual: [] for manual in manuals}
    for manual, number, part in numbered(manuals):
        for i, block in enumerate(part):
            if block.shown and not block.alone:
                got, wanted = printed[f"{number} {i}"], block.output["code"] if block.output else ""
                if got != wanted:
                    edits[manual].append((block, got))
                    if not update:
                        print(f"{manual}:{block.line}: prints\n{got}instead of\n{wanted}")
    if update:
        for manual, changed in edits.items():
            text = pathlib.Path(manual).read_text()
            for block, got in reversed(changed):
                start, end = block.output.span() if block.output else (block.end, block.end)
                text = text[:start] + (f"```text\n{got}```\n" if got else "") + text[end:]
            pathlib.Path(manual).write_text(text)
    wrong = sum(map(len, edits.values()))
    print(f"{len(printed)} blocks, {wrong} {'changed' if update else 'wrong'}")
    sys.exit(wrong > 0 and not update)


if len(sys.argv) < 4 or sys.argv[1] not in ("extract", "compare", "update"):
    sys.exit(__doc__)
if sys.argv[1] == "extract":
    extract(sys.argv[2], sys.argv[3:])
else:
    check(sys.argv[2], sys.argv[3:], sys.argv[1] == "update")
