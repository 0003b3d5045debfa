"""Checks the tree's rules about includes and headers; prints one line for each breach. With --dot it prints the graph
of the rooms (folders) and the includes between them for Graphviz instead. usage: includes.py ROOT [--dot]"""
import collections
import pathlib
import re
import sys

FORBIDDEN = re.compile(r"xtensor|xsimd|xtl/|xflens|cblas|lapack|nlohmann|json|omp\.h|fmt/|zlib|CLI/|doctest|benchmark/")
SLOW = {"iostream", "filesystem", "regex", "thread", "iomanip", "future"}
LEVEL = {"engine": 0, "ops": 1, "nn": 2, "testing": 2}
LONGEST = 450
OPT_IN = re.compile(r"engine/xtensor\.hpp|testing/")  # public headers that may include what their users link
UMBRELLAS = {"weft.hpp": ("engine", "ops", "nn"), "ops/ops.hpp": ("ops",), "nn/nn.hpp": ("nn",)}
# All that a kernel knows of the engine: numbers, memory, shapes and threads, but neither tensors nor the tape.
FOR_KERNELS = {"engine/dtype.hpp", "engine/error.hpp", "engine/memory.hpp", "engine/shape.hpp", "engine/threads.hpp",
               "engine/detail/parallel.hpp", "engine/detail/xsimd.hpp"}


def is_internal(name):
    return re.search("/(kernels|detail)/", name) is not None


def is_addon(name):
    return name.startswith("nn/addons/")


def addon_of(name):
    """nn/addons/NAME/"""
    return "/".join(name.split("/")[:3]) + "/"


def room_of(name):
    """The folder; what is in detail/ furnishes the room above it."""
    return re.sub("/detail(/.*)?$", "", name.rpartition("/")[0])


def includes_of(lines):
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
        if match:
            yield number, match[1], match[2]


def rooms(files):
    """{room: rooms that it includes from}, umbrella headers left out."""
    graph = collections.defaultdict(set)
    for name, lines in files.items():
        if name in UMBRELLAS:
            continue
        graph[room_of(name)]
        for _, _, target in includes_of(lines):
            there = room_of(target.removeprefix("weft/"))
            if target.startswith("weft/") and there != room_of(name):
                graph[room_of(name)].add(there)
    return graph


def circle(graph):
    """Rooms that include one another in a circle, or nothing."""
    done, path = set(), []

    def visit(room):
        if room in path:
            return path[path.index(room):] + [room]
        if room in done:
            return None
        path.append(room)
        for there in sorted(graph.get(room, ())):
            found = visit(there)
            if found:
                return found
        path.pop()
        done.add(room)
        return None

    return next(filter(None, map(visit, sorted(graph))), None)


def check_includes(name, lines, files):
    public = name.endswith(".hpp") and not is_internal(name) and not OPT_IN.match(name)
    for number, bracket, target in includes_of(lines):
        place = f"{name}:{number}"
        if bracket == '"':
            yield f"{place}: \"{target}\" is written <weft/...>"
        if public and not target.startswith("weft/") and (FORBIDDEN.search(target) or target in SLOW):
            yield f"{place}: <{target}> in a public header"
        if not target.startswith("weft/"):
            continue
        target = target.removeprefix("weft/")
        if target not in files:
            yield f"{place}: <weft/{target}> does not exist"
        if public and (is_internal(target) or OPT_IN.match(target)):
            yield f"{place}: the public header includes <weft/{target}>, which is not"
        here, there = (LEVEL.get(n.split("/")[0], 9) for n in (name, target))
        if there > here:
            yield f"{place}: <weft/{target}> is above it; includes go nn -> ops -> engine"
        if is_addon(name):
            if is_internal(target) and not target.startswith(addon_of(name)):
                yield f"{place}: addons use what users may use"
            continue
        if is_addon(target):
            yield f"{place}: only an addon knows an addon"
        if name.startswith("nn/") and target.startswith(("ops/kernels/", "ops/detail/", "engine/op.hpp")):
            yield f"{place}: nn defines no ops and calls no kernels"
        if "/kernels/" in name and "/kernels/" not in target and target not in FOR_KERNELS:
            yield f"{place}: a kernel that knows <weft/{target}>"


def check_file(name, lines, files):
    header = name.endswith(".hpp")
    if len(lines) > LONGEST:
        yield f"{name}: {len(lines)} lines, at most {LONGEST}"
    if header and not any(line.strip() == "#pragma once" for line in lines):
        yield f"{name}: no #pragma once"
    for number, line in enumerate(lines, 1):
        if header and re.match(r"\s*using namespace", line):
            yield f"{name}:{number}: using namespace in a header"
        if header and not is_internal(name) and re.match(r"\s*#\s*define", line):
            yield f"{name}:{number}: a macro in a public header"
        if (name.startswith("nn/") and not is_addon(name)
                and re.search(r":\s*(public\s+)?(\w+::)*(Op|Elementwise)<", line)):
            yield f"{name}:{number}: an op in nn"
    yield from check_includes(name, lines, files)


def check_umbrella(name, files):
    """An umbrella header includes every public header below it, directly or by way of others."""
    reached, todo = set(), [name]
    while todo:
        here = todo.pop()
        if here not in reached:
            reached.add(here)
            todo += [t.removeprefix("weft/") for _, _, t in includes_of(files.get(here, [])) if t.startswith("weft/")]
    for header in sorted(files):
        if (header.endswith(".hpp") and not is_internal(header) and not OPT_IN.match(header)
                and not is_addon(header) and header not in reached
                and header.split("/")[0] in UMBRELLAS[name]):
            yield f"{name}: does not include <weft/{header}>"


def main(root, dot):
    files = {path.relative_to(root).as_posix(): path.read_text().splitlines()
             for part in LEVEL for path in sorted((root / part).rglob("*")) if path.suffix in (".hpp", ".cpp")}
    files["weft.hpp"] = (root / "weft.hpp").read_text().splitlines()
    graph = rooms(files)
    if dot:
        arrows = [f'  "{room}" -> "{there}";' for room in sorted(graph) for there in sorted(graph[room])]
        print("\n".join(["digraph rooms {", "  rankdir=TB; node [shape=box, fontname=sans];", *arrows, "}"]))
        return 0
    breaches = [breach for name, lines in files.items() for breach in check_file(name, lines, files)]
    for name in UMBRELLAS:
        breaches += check_umbrella(name, files)
    if found := circle(graph):
        breaches.append("rooms in a circle: " + " -> ".join(found))
    print("\n".join(breaches) if breaches else f"{len(files)} files, no breach")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), "--dot" in sys.argv[2:]))
