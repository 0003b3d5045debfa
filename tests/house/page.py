"""Has a program write a page of a ResNet-20, opens it in headless Chromium and looks for the sections, the rows of its
tables, the picture and the timeline, presses what can be pressed, and looks for errors on the console.
usage: page.py PROGRAM CHROMIUM"""
import pathlib
import re
import subprocess
import sys
import tempfile

import browser

program, chromium = sys.argv[1:]

# What a reader would do, when all has loaded; the answers go into the title.
PROBE = """<script>addEventListener('load', () => {
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const seen = {}, shown = rows => rows.filter(row => row.getClientRects().length > 0).length;
  seen.sections = all('section').map(s => s.id);
  seen.links = all('nav a').map(a => one(a.getAttribute('href')).id);
  seen.marked = all('b, img, [onerror]').length;

  const tree = one('.tree'), rows = [...tree.tBodies[0].rows];
  seen.layers = rows.filter(r => !r.classList.contains('module')).length;
  seen.names = rows.map(r => r.cells[0].textContent);
  seen.modules = all('.tree .module').length;
  seen.bars = all('.bar', tree).map(cell => [cell.textContent, parseFloat(getComputedStyle(cell, '::after').width)]);
  seen.whole = shown(rows);
  const stage = all('button', tree).find(b => b.textContent === 'stage1');
  stage.click();
  seen.folded = shown(rows);
  const inner = all('button', tree).find(b => b.textContent === '0');
  stage.click();
  inner.click();
  seen.inner_folded = shown(rows);
  stage.click(), stage.click();
  seen.inner_stays = shown(rows);

  const svg = one('svg.net'), box = svg.getBoundingClientRect(), view = () => svg.getAttribute('viewBox');
  seen.svg = [box.width, box.height];
  seen.red = all('path[stroke=red]', svg).length;
  seen.boxes = all('.node', svg).length;
  seen.drawn = one('text', svg).getBBox().width > 0;
  const first = view();
  svg.parentNode.querySelector('[data-zoom="0.8"]').click();
  seen.zoomed = Number(view().split(' ')[2]) / Number(first.split(' ')[2]);
  svg.parentNode.querySelector('[data-zoom="0"]').click();
  seen.back = view() === first;

  const canvas = one('.timeline'), painted = new Set();
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 0; i < pixels.length; i += 4)
    if (pixels[i + 3] === 255) painted.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
  seen.canvas = [canvas.clientWidth, canvas.clientHeight, painted.size];
  const place = canvas.getBoundingClientRect();
  for (let x = 1; x < place.width && !seen.hover; x += 1) {
    canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: place.left + x, clientY: place.top + 30}));
    const hover = one('.hover');
    if (!hover.hidden) seen.hover = hover.textContent, seen.hover_is_in = hover.parentNode.tagName;
  }
  seen.runs = JSON.parse(one('script[type="application/json"]').textContent).op.length;

  const table = one('.sorted'), column = n => [...table.tBodies[0].rows].map(row => row.cells[n].textContent);
  const press = n => one('button', table.tHead.rows[0].cells[n]).click();
  seen.heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
  seen.times = column(3);
  press(3);
  seen.times_up = column(3);
  press(0);
  seen.ops = column(0);
  press(2);
  seen.calls = column(2);
  seen.sort = [...table.tHead.rows[0].cells].map(cell => cell.getAttribute('aria-sort'));
  seen.tables = all('table').length;
  document.title = JSON.stringify(seen);
});</script>"""

with tempfile.TemporaryDirectory() as directory:
    page = pathlib.Path(directory) / "page.html"
    subprocess.run([program, str(page), '<b onerror="x">&amp;'], check=True)
    text = page.read_text()
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", re.sub(r"^// .*|  // .*", "", text, flags=re.M)), "reaches out"
    assert len(text) < 300_000, len(text)
    seen = browser.seen_in(chromium, text, PROBE, directory)


def numbers(texts):
    return [float(text.replace(",", "")) for text in texts]


assert seen["sections"] == ["summary", "graph", "profile"] == seen["links"], seen["sections"]
assert seen["marked"] == 0, "a name became markup"
assert seen["layers"] == 37 and seen["modules"] == 8, (seen["layers"], seen["modules"])
assert seen["names"][10:12] == ["1 .. 2", "stage2"] and "(itself)" in seen["names"], seen["names"]
widths = dict(seen["bars"])
assert widths["203,520"] > 40 and abs(widths["203,520"] / widths["51,072"] - 203520 / 51072) < 0.2, widths
assert seen["whole"] == 45 and seen["folded"] == 45 - 8, (seen["whole"], seen["folded"])
assert seen["inner_folded"] == 45 - 6 == seen["inner_stays"], (seen["inner_folded"], seen["inner_stays"])
assert seen["svg"][0] > 400 and seen["svg"][1] > 200 and seen["drawn"], seen["svg"]
assert seen["red"] >= 7 and seen["boxes"] >= 20, (seen["red"], seen["boxes"])
assert abs(seen["zoomed"] - 0.8) < 1e-3 and seen["back"], seen["zoomed"]
assert seen["canvas"][0] > 400 and seen["canvas"][1] > 40 and seen["canvas"][2] > 5, seen["canvas"]
assert re.match(r"\w+(, backward)?: [\d.]+ (s|ms|µs)\n", seen["hover"]) and " -> " in seen["hover"], seen["hover"]
assert seen["hover_is_in"] == "BODY", "the view cuts the text"
assert seen["tables"] == 3 and seen["heads"] == ["op", "pass", "calls", "ms", "%", "µs a call", "GB/s"], seen["heads"]
times = numbers(seen["times"])
assert len(times) > 10 and times == sorted(times, reverse=True) and numbers(seen["times_up"]) == sorted(times)
assert seen["ops"] == sorted(seen["ops"]) and len(set(seen["ops"])) > 5, seen["ops"]
assert numbers(seen["calls"]) == sorted(numbers(seen["calls"]), reverse=True)
assert seen["sort"] == ["none", "none", "descending", "none", "none", "none", "none"], seen["sort"]
print(f"{len(text):,} bytes, {seen['runs']} runs, {seen['boxes']} boxes")
