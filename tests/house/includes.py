"""Checks the tree's rules about includes and headers; prints one line for each breach. usage: includes.py ROOT"""
import pathlib
import re
import sys

FORBIDDEN = re.compile(r"xtensor|xsimd|xtl/|xflens|cblas|lapack|nlohmann|json|omp\.h|fmt/|zlib|CLI/|doctest|benchmark/")
SLOW = {"iostream", "filesystem", "regex", "thread", "iomanip", "future"}
LEVEL = {"engine": 0, "ops": 1, "nn": 2}
LONGEST = 450


def main(root):
    breaches = []
    internal, files = set(), {}
    for part in LEVEL:
        for path in sorted((root / part).rglob("*")):
            if path.suffix in (".hpp", ".cpp"):
                name = path.relative_to(root).as_posix()
                files[name] = path.read_text().splitlines()
                if re.search("/(kernels|detail)/", name) or any("// Internal" in l for l in files[name][:5]):
                    internal.add(name)
    if (root / "weft.hpp").exists():
        files["weft.hpp"] = (root / "weft.hpp").read_text().splitlines()

    for name, lines in files.items():
        header = name.endswith(".hpp")
        public = header and name not in internal and name != "engine/xtensor.hpp"
        if len(lines) > LONGEST:
            breaches.append(f"{name}: {len(lines)} lines, at most {LONGEST}")
        if header and not any(line.strip() == "#pragma once" for line in lines):
            breaches.append(f"{name}: no #pragma once")
        for number, line in enumerate(lines, 1):
            if header and re.match(r"\s*using namespace", line):
                breaches.append(f"{name}:{number}: using namespace in a header")
            if public and re.match(r"\s*#\s*define", line):
                breaches.append(f"{name}:{number}: a macro in a public header")
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            if not match:
                continue
            target = match[2]
            if match[1] == '"':
                breaches.append(f"{name}:{number}: \"{target}\" is written <weft/...>")
            if public and not target.startswith("weft/") and (FORBIDDEN.search(target) or target in SLOW):
                breaches.append(f"{name}:{number}: <{target}> in a public header (if internal, say so: // Internal)")
            if not target.startswith("weft/"):
                continue
            target = target.removeprefix("weft/")
            if target not in files:
                breaches.append(f"{name}:{number}: <weft/{target}> does not exist")
            if public and (target in internal or target == "engine/xtensor.hpp"):
                breaches.append(f"{name}:{number}: the public header includes <weft/{target}>, which is not")
            here, there = (LEVEL.get(n.split("/")[0], 9) for n in (name, target))
            if there > here:
                breaches.append(f"{name}:{number}: <weft/{target}> is above it; includes go nn -> ops -> engine")
            if "ops/kernels/" in name and re.search(r"weft/(engine/(tensor|tape|node|op|apply)|ops/[^/]*)\.hpp", line):
                breaches.append(f"{name}:{number}: a kernel that knows tensors or the tape")

    print("\n".join(breaches) if breaches else f"{len(files)} files, no breach")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
