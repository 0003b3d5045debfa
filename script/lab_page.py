"""Puts the studies' results on one self-contained page, in the order of their questions.
usage: lab_page.py RESULTS PAGE.html [--docs DOCS]     RESULTS/STUDY/result.json and its pictures, as script/lab leaves them
--docs writes DOCS/lab.md with the pictures in DOCS/lab/, and of one study the picture and the verdict into DOCS/../README.md,
between its marks."""
import base64
import html
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

STUDIES = ("skip_or_not when prune imitate optimisers degradation responses gradients singularities shortcuts thousand "
           "lesion landscape charlm").split()
FRONT = "degradation", "depth"  # the study and the picture that README shows
MARKS = "<!-- lab -->\n", "<!-- /lab -->\n"
MOST_OF_A_PICTURE = 100_000  # bytes, of those that are committed

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5em; border-top: 1px solid #ccc; padding-top: 1em; }
table { border-collapse: collapse; margin: 1em 0; font-size: 14px; } caption { text-align: left; font-weight: bold; }
th, td { padding: 0.2em 0.8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } img { max-width: 100%; } .verdict { background: #eef5fa; padding: 1em; }
.run { color: #666; font-size: 14px; } pre { white-space: pre-wrap; }
"""


def number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.2e}" if value and not 1e-3 <= abs(value) < 1e5 else f"{value:.4g}"


def cell(value):
    """Words, a number, or a value with its spread over seeds."""
    if isinstance(value, dict):
        return f"{number(value['mean'])} ± {number(value['deviation'])}"
    return "" if value is None else number(value)


def read(results):
    found = {}
    for study in STUDIES:
        path = results / study / "result.json"
        if path.exists():
            found[study] = json.loads(path.read_text())
    if not found:
        sys.exit(f"lab_page: no study has left a result.json in {results}")
    return found


def commit():
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else "unknown"


def run_line(result):
    seeds = ", ".join(map(str, result["seeds"]))
    quick = "quick run, " if result["settings"].get("quick") == ["true"] else ""
    return f"{quick}seeds {seeds}; {result['seconds']:.0f} s on {result['machine']}, {result['date']}"


def html_table(title, columns, rows):
    def line(tag, cells):
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    return (f"<table><caption>{html.escape(title)}</caption>" + line("th", columns) +
            "".join(line("td", [cell(c) for c in row]) for row in rows) + "</table>")


def effects_of(found):
    return [[study, e["claim"], e["published"], e["here"], "yes" if e["appeared"] else "no"]
            for study, result in found.items() for e in result["effects"]]


EFFECT_COLUMNS = ["study", "effect", "published", "here", "appeared"]


def page(found, results):
    parts = [f"<h1>What do skip connections do, and when?</h1><p class='run'>commit {commit()}</p><ul>"]
    parts += [f"<li><a href='#{s}'>{html.escape(r['question'])}</a></li>" for s, r in found.items()]
    parts.append("</ul>")
    for study, result in found.items():
        parts.append(f"<section id='{study}'><h2>{html.escape(result['question'])}</h2>")
        parts.append(f"<p class='verdict'>{html.escape(result['verdict'])}</p>")
        for picture in result["pictures"]:
            svg = (results / study / (picture["name"] + ".svg")).read_bytes()
            data = base64.b64encode(svg).decode()
            parts.append(f"<p><img alt='{html.escape(picture['title'], quote=True)}' "
                         f"src='data:image/svg+xml;base64,{data}'></p>")
        parts += [html_table(t["title"], t["columns"], t["rows"]) for t in result["tables"]]
        parts.append(f"<p class='run'>{study}: {html.escape(run_line(result))}</p></section>")
    parts.append("<section id='effects'><h2>Published effects</h2>" +
                 html_table("What was published, and what appeared here", EFFECT_COLUMNS, effects_of(found)) +
                 "</section>")
    missing = [s for s in STUDIES if s not in found]
    if missing:
        parts.append(f"<p class='run'>Not run: {', '.join(missing)}.</p>")
    return ("<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>weft: the lab</title>"
            "<link rel='icon' href='data:,'>"
            f"<style>{STYLE}</style></head><body>" + "\n".join(parts) + "</body></html>\n")


def markdown_table(columns, rows):
    def line(cells):
        return "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"

    return "\n".join([line(columns), "|" + "---|" * len(columns)] + [line([cell(c) for c in row]) for row in rows])


def anchor(heading):
    """What a heading is called in a link to it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def with_short_dots(svg):
    """gnuplot's circles, an element of a hundred bytes each, as dots of one path where they follow one another."""
    dot = re.compile(r"\t?<use xlink:href='#gpPt6' transform='translate\((\S+?),(\S+?)\) scale\((\S+?)\)' color='(.*?)'/>\n")

    def path(run):
        dots = dot.findall(run[0])
        _, _, radius, color = dots[0]
        at = "".join(f"M{x},{y}h0" for x, y, _, _ in dots)
        return (f"<path d='{at}' fill='none' stroke='{color}' stroke-width='{2 * float(radius):g}' "
                "stroke-linecap='round'/>\n")

    alike = rf"{dot.pattern}(?:\t?<use xlink:href='#gpPt6' transform='translate\(\S+?\) scale\(\3\)' color='\4'/>\n)+"
    return re.sub(alike, path, svg)


def with_fewer_points(svg, apart):
    """Lines and bands without points that lie less than so many pixels from the one before, to tenths of a pixel."""

    def thinned(path):
        points, kept, last = path[3].split(), [], None
        for k, point in enumerate(points):
            ends = k + 1 == len(points) or not points[k + 1][0] in "L-0123456789."
            if point[0] in "MZ" or ends or last is None:
                keep = True
            else:
                x, y = map(float, point.lstrip("L").split(","))
                keep = math.hypot(x - last[0], y - last[1]) >= apart
            if keep:
                kept.append(point)
                last = tuple(map(float, point.lstrip("ML").split(","))) if "," in point else None
        return f"{path[1]}{path[2]}'{' '.join(kept)}'"

    svg = re.sub(r"\b(d|points)( ?= ?)'([^']*)'", thinned, svg)
    # Coordinates, not what is written beside the axes.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d)\d\b", r"\1", tag[0]), svg)
    return re.sub(r"\n\s+", "\n", svg)


def write_docs(found, results, docs):
    pictures = {}
    effects = effects_of(found)
    seen = sum(e[-1] == "yes" for e in effects)
    text = ["# The lab: what do skip connections do, and when?", "",
            "Written by `script/lab --docs`: every study of examples/, with its answer in the words that the run made of "
            "its own figures. A value ± is the mean and standard deviation over the seeds. "
            f"Of {len(effects)} published effects {seen} appeared at this scale ([table](#published-effects)).", ""]
    text += [f"- [{r['question']}](#{anchor(r['question'])})" for r in found.values()] + [""]
    for study, result in found.items():
        text += [f"## {result['question']}", "", result["verdict"], ""]
        for picture in result["pictures"]:
            source = results / study / (picture["name"] + ".svg")
            sizes = (with_short_dots(with_fewer_points(source.read_text(), apart)) for apart in range(9))
            svg = next((svg for svg in sizes if len(svg.encode()) <= MOST_OF_A_PICTURE), None)
            if svg is None:
                sys.exit(f"lab_page: {source} takes more than {MOST_OF_A_PICTURE} bytes")
            name = f"{study}-{picture['name']}.svg"
            pictures[name] = svg
            text += [f"![{picture['title']}](lab/{name})", ""]
        for table in result["tables"]:
            text += [table["title"], "", markdown_table(table["columns"], table["rows"]), ""]
        text += [f"`{study}`: {run_line(result)}", ""]
    text += ["## Published effects", "", markdown_table(EFFECT_COLUMNS, effects), ""]
    # All is known to fit before anything of the last tour goes.
    shutil.rmtree(docs / "lab", ignore_errors=True)
    (docs / "lab").mkdir(parents=True)
    for name, svg in pictures.items():
        (docs / "lab" / name).write_text(svg)
    replace(docs / "lab.md", "\n".join(text))
    show_in_front(found, docs)


def replace(path, text):
    aside = path.with_suffix(".tmp")
    aside.write_text(text)
    aside.rename(path)


def show_in_front(found, docs):
    readme, (study, picture) = docs.parent / "README.md", FRONT
    if study not in found or not readme.exists() or MARKS[0] not in readme.read_text():
        return
    before, _, rest = readme.read_text().partition(MARKS[0])
    verdict = textwrap.fill(found[study]["verdict"], 120)
    replace(readme, f"{before}{MARKS[0]}![{found[study]['question']}](docs/lab/{study}-{picture}.svg)\n\n{verdict}\n"
            f"{MARKS[1]}{rest.partition(MARKS[1])[2]}")


def main():
    arguments = sys.argv[1:]
    docs = None
    if "--docs" in arguments:
        at = arguments.index("--docs")
        docs = pathlib.Path(arguments[at + 1])
        del arguments[at:at + 2]
    if len(arguments) != 2:
        sys.exit(__doc__)
    results, out = map(pathlib.Path, arguments)
    found = read(results)
    replace(out, page(found, results))
    print(f"Page: {out}")
    if docs:
        write_docs(found, results, docs)
        print(f"Tour: {docs / 'lab.md'}")


main()
