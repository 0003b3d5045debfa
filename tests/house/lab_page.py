"""Makes the lab's page of the results that the studies' tests have left, opens it in headless Chromium, and looks for
every section, picture and table, and for errors on the console. Of the tour: every picture is there, small, and says
what the run's does.
usage: lab_page.py SCRIPT RESULTS CHROMIUM"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import browser

script, results, chromium = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
studies = {p.parent.name: json.loads(p.read_text()) for p in results.glob("*/result.json")}
if not studies:
    sys.exit(f"{results} has no result.json")


def words_of(picture):
    text = xml.etree.ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")
    return [" ".join("".join(element.itertext()).split()) for element in text]


# At the end, when all has loaded: pictures that did not come have no width.
PROBE = """<script>addEventListener('load', () => {
  document.title = JSON.stringify({sections: [...document.querySelectorAll('section')].map(s => s.id),
    pictures: [...document.images].map(i => [i.alt, i.naturalWidth]), tables: document.querySelectorAll('table').length,
    verdicts: [...document.querySelectorAll('.verdict')].map(v => v.textContent)}); });</script>"""
with tempfile.TemporaryDirectory() as directory:
    page = pathlib.Path(directory) / "index.html"
    docs = pathlib.Path(directory) / "docs"
    (pathlib.Path(directory) / "README.md").write_text("before\n<!-- lab -->\nold\n<!-- /lab -->\nafter\n")
    subprocess.run([sys.executable, script, str(results), str(page), "--docs", str(docs)], check=True)
    tour = (docs / "lab.md").read_text()
    linked = re.findall(r"\]\((lab/\S+\.svg)\)", tour)
    assert len(linked) == sum(len(s["pictures"]) for s in studies.values()), linked
    for picture in linked:
        xml.etree.ElementTree.parse(docs / picture)
        assert (docs / picture).stat().st_size <= 100_000, picture
    for study, s in studies.items():
        for picture in s["pictures"]:
            small, whole = docs / "lab" / f"{study}-{picture['name']}.svg", results / study / f"{picture['name']}.svg"
            assert words_of(small) == words_of(whole) != [], small
    assert all(s["verdict"] in tour and f"## {s['question']}\n" in tour for s in studies.values())
    assert (pathlib.Path(directory) / "README.md").read_text().endswith("<!-- /lab -->\nafter\n")
    text = page.read_text()
    assert not re.search(r"(src|href)='https?:", text), "the page reaches for the network"
    seen = browser.seen_in(chromium, text, PROBE, directory)
assert set(seen["sections"]) == set(studies) | {"effects"}, seen["sections"]
pictures = [p for s in studies.values() for p in s["pictures"]]
assert len(seen["pictures"]) == len(pictures), (len(seen["pictures"]), len(pictures))
assert all(width > 100 and alt for alt, width in seen["pictures"]), seen["pictures"]
assert seen["tables"] == 1 + sum(len(s["tables"]) for s in studies.values()), seen["tables"]
assert sorted(seen["verdicts"]) == sorted(s["verdict"] for s in studies.values())
print(f"{len(studies)} studies, {len(pictures)} pictures")
