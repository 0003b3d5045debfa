#include <weft/nn/detail/html.hpp>

namespace weft::detail {

const char* const page_style = R"css(
:root { color-scheme: light dark; --ink: #1d2126; --soft: #5d6672; --line: #dfe3e8; --card: #fff; --paper: #f4f5f7;
  --bar: #4c83d6; --leaf: #d6e8fb; --constant: #fdf3cf; --red: #d0312d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa4b0; --line: #343a42; --card: #1e2227;
  --paper: #15181c; --bar: #5b95ea; --leaf: #23405f; --constant: #4a4325; --red: #ff6b61; } }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 0 0 .8rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .5rem; }
nav a { margin-right: 1.2rem; color: var(--bar); text-decoration: none; } nav a:hover { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.2rem;
  margin: 1.2rem 0; }
dl { display: flex; flex-wrap: wrap; gap: .6rem 2.4rem; margin: 0 0 1rem; }
dt { color: var(--soft); font-size: .8rem; } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--line); padding: .3rem .6rem;
  white-space: nowrap; }
td { padding: .22rem .6rem .38rem; border-bottom: 1px solid color-mix(in srgb, var(--line) 55%, transparent);
  white-space: nowrap; }
tbody tr:hover { background: color-mix(in srgb, var(--bar) 9%, transparent); }
tfoot td { font-weight: 600; border-bottom: 0; border-top: 1px solid var(--line); }
.tree th:nth-child(n + 4), .tree td:nth-child(n + 4), .sorted th:nth-last-child(-n + 5),
.sorted td:nth-last-child(-n + 5) { text-align: right; }
.tree td:first-child { padding-left: calc(.6rem + var(--level, 0) * 1.2rem); }
.scripted .tree tbody tr:not(.module) td:first-child { padding-left: calc(1.6rem + var(--level, 0) * 1.2rem); }
.tree .module td { color: var(--soft); } .tree .module button { color: var(--ink); font-weight: 600; }
.tree td:nth-child(3) { color: var(--soft); }
.bar { position: relative; min-width: 5.5rem; }
.bar::after { content: ""; position: absolute; left: .6rem; bottom: .1rem; height: 3px; border-radius: 2px;
  width: calc((100% - 1.2rem) * var(--share)); background: var(--bar); }
.module .bar::after { opacity: .35; } tfoot .bar::after { display: none; }
th button, td button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
.scripted .tree button::before { content: "\25be"; display: inline-block; width: 1em; color: var(--soft); }
.scripted .tree button[aria-expanded=false]::before { content: "\25b8"; }
[aria-sort=ascending] button::after { content: " \25b4"; } [aria-sort=descending] button::after { content: " \25be"; }
.view { position: relative; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.tools { display: flex; gap: .4rem; align-items: center; padding: .4rem .6rem; border-bottom: 1px solid var(--line);
  font-size: .8rem; color: var(--soft); }
.tools button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; min-width: 1.9rem; padding: .1rem .5rem; cursor: pointer; } .tools span { margin-left: .6rem; }
.net { display: block; width: 100%; min-height: 24rem; max-height: min(85vh, 60rem); cursor: grab;
  touch-action: pan-y; }
.net text { fill: var(--ink); } .net [stroke=black] { stroke: var(--ink); } .net [fill=black] { fill: var(--ink); }
.net [fill=white] { fill: var(--card); } .net [fill=lightblue] { fill: var(--leaf); }
.net [fill=lightyellow] { fill: var(--constant); } .net [stroke=red] { stroke: var(--red); }
.net text[fill=red], .net polygon[fill=red] { fill: var(--red); }
.timeline { display: block; width: 100%; cursor: grab; touch-action: pan-y; }
.hover { position: fixed; pointer-events: none; background: var(--ink); color: var(--card); border-radius: 6px;
  padding: .35rem .55rem; font-size: .78rem; line-height: 1.35; max-width: 34rem; white-space: pre-line; z-index: 1; }
@media print { body { background: none; } .tools { display: none; } }
)css";

const char* const page_script = R"js(
'use strict';
document.documentElement.classList.add('scripted');

// Modules of a summary are folded.
for (const table of document.querySelectorAll('.tree')) table.addEventListener('click', event => {
  const pressed = event.target.closest('button');
  if (!pressed) return;
  pressed.setAttribute('aria-expanded', pressed.getAttribute('aria-expanded') === 'false');
  let closed = Infinity;
  for (const row of table.tBodies[0].rows) {
    const level = Number(row.dataset.level), button = row.querySelector('button');
    if (level <= closed) closed = Infinity;
    row.hidden = level > closed;
    if (!row.hidden && button && button.getAttribute('aria-expanded') === 'false') closed = level;
  }
});

// Tables are sorted by a column: numbers from the largest, words from A.
const numberOf = cell => Number(cell.textContent.replaceAll(',', ''));
for (const table of document.querySelectorAll('.sorted')) table.tHead.addEventListener('click', event => {
  const head = event.target.closest('th');
  if (!head) return;
  const at = head.cellIndex, rows = [...table.tBodies[0].rows];
  const numbers = rows.every(row => !Number.isNaN(numberOf(row.cells[at])) && row.cells[at].textContent !== '');
  const before = head.getAttribute('aria-sort');
  const order = (before === 'none' ? numbers : before === 'ascending') ? 'descending' : 'ascending';
  const sign = order === 'ascending' ? 1 : -1;
  rows.sort((a, b) => sign * (numbers ? numberOf(a.cells[at]) - numberOf(b.cells[at])
    : a.cells[at].textContent.localeCompare(b.cells[at].textContent)));
  for (const other of head.parentNode.cells) other.setAttribute('aria-sort', other === head ? order : 'none');
  table.tBodies[0].append(...rows);
});

// What both pictures have: buttons, Ctrl and wheel, dragging. Positions are parts of the element's width and height.
function handle(element, zoom, move, whole) {
  for (const button of element.parentNode.querySelectorAll('[data-zoom]')) button.addEventListener('click', () => {
    const factor = Number(button.dataset.zoom);
    if (factor) zoom(factor, .5, .5); else whole();
  });
  element.addEventListener('wheel', event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = element.getBoundingClientRect();
    zoom(Math.exp(event.deltaY / 300), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }, {passive: false});
  element.addEventListener('pointerdown', event => element.setPointerCapture(event.pointerId));
  element.addEventListener('pointermove', event => {
    if (!event.buttons) return;
    const box = element.getBoundingClientRect();
    move(event.movementX / box.width, event.movementY / box.height);
  });
  element.addEventListener('dblclick', whole);
}

for (const svg of document.querySelectorAll('.net')) {
  const first = svg.getAttribute('viewBox'), width = svg.viewBox.baseVal.width;
  const set = (x, y, w, h) => svg.setAttribute('viewBox', `${x} ${y} ${w} ${h}`);
  handle(svg, (factor, x, y) => {
    const v = svg.viewBox.baseVal, f = Math.min(Math.max(factor, width / 100 / v.width), 4 * width / v.width);
    set(v.x + x * v.width * (1 - f), v.y + y * v.height * (1 - f), v.width * f, v.height * f);
  }, (x, y) => {
    const v = svg.viewBox.baseVal;
    set(v.x - x * v.width, v.y - y * v.height, v.width, v.height);
  }, () => svg.setAttribute('viewBox', first));
}

for (const canvas of document.querySelectorAll('.timeline')) {
  const runs = JSON.parse(canvas.nextElementSibling.textContent), count = runs.op.length, row = 22, top = 24;
  let end = 0, deepest = 0;
  for (let i = 0; i < count; ++i) {
    end = Math.max(end, runs.begin[i] + runs.duration[i]);
    deepest = Math.max(deepest, runs.depth[i]);
  }
  let from = 0, span = end || 1;
  const hues = new Map();
  for (const op of runs.op) if (!hues.has(op)) hues.set(op, hues.size * 137.508 % 360);
  const height = top + (deepest + 1) * row + 6;
  const time = us => us >= 1e6 ? `${+(us / 1e6).toPrecision(4)} s` : us >= 1e3 ? `${+(us / 1e3).toPrecision(4)} ms`
    : us ? `${+us.toPrecision(4)} \u00b5s` : '0';

  function draw() {
    const width = canvas.clientWidth, scale = window.devicePixelRatio || 1, c = canvas.getContext('2d');
    canvas.style.height = `${height}px`;
    canvas.width = width * scale, canvas.height = height * scale;
    c.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    c.font = '11px system-ui, sans-serif';
    c.textBaseline = 'middle';
    let step = 10 ** Math.floor(Math.log10(span / 4));
    for (const m of [5, 2]) if (span / (step * m) >= 4) { step *= m; break; }
    for (let t = Math.ceil(from / step) * step; t <= from + span; t += step) {
      const x = (t - from) / span * width;
      c.fillStyle = style.getPropertyValue('--line');
      c.fillRect(x, 0, 1, height);
      c.fillStyle = style.getPropertyValue('--soft');
      c.fillText(time(Math.round(t / step) * step), x + 4, 11);
    }
    const drawn = new Array(deepest + 1).fill(-1);  // up to which pixel
    for (let i = 0; i < count; ++i) {
      const x = (runs.begin[i] - from) / span * width, w = runs.duration[i] / span * width, d = runs.depth[i];
      if (x > width || x + w < 0 || x + w < drawn[d] + .5) continue;
      const left = Math.max(x, 0), right = Math.min(Math.max(x + w, left + .7), width), y = top + d * row;
      c.fillStyle = `hsl(${hues.get(runs.op[i])} ${runs.backward[i] ? '42% 55%' : '62% 72%'})`;
      c.fillRect(left, y, Math.max(right - left - (right - left > 3 ? 1 : 0), .7), row - 3);
      drawn[d] = right;
      if (right - left < 34) continue;
      c.save();
      c.beginPath();
      c.rect(left, y, right - left - 4, row);
      c.clip();
      c.fillStyle = '#111';
      c.fillText(runs.texts[runs.op[i]], left + 4, y + row / 2 - 1);
      c.restore();
    }
  }
  const set = (begin, wanted) => {
    span = Math.min(Math.max(wanted, .05), end || 1);
    from = Math.min(Math.max(begin, 0), Math.max(end - span, 0));
    requestAnimationFrame(draw);
  };
  handle(canvas, (factor, x) => set(from + x * span * (1 - factor), span * factor), x => set(from - x * span, span),
    () => set(0, end));
  const hover = document.createElement('div');
  hover.className = 'hover';
  hover.hidden = true;
  document.body.append(hover);  // the view would cut it
  canvas.addEventListener('pointermove', event => {
    const box = canvas.getBoundingClientRect(), d = Math.floor((event.clientY - box.top - top) / row);
    const at = from + (event.clientX - box.left) / box.width * span;
    const slack = span / box.width;
    let found = -1;
    for (let i = 0; i < count && runs.begin[i] <= at + slack; ++i)
      if (runs.depth[i] === d && runs.begin[i] + runs.duration[i] >= at - slack) found = i;
    hover.hidden = found < 0;
    if (found < 0) return;
    const text = name => runs.texts[runs[name][found]];
    hover.textContent = [text('op') + (runs.backward[found] ? ', backward' : '') + ': ' + time(runs.duration[found]),
      text('module') && 'in ' + text('module'), text('fields'), text('shapes'),
      runs.bytes[found].toLocaleString('en') + ' bytes'].filter(Boolean).join('\n');
    hover.style.left = `${Math.max(Math.min(event.clientX + 12, innerWidth - hover.offsetWidth - 12), 0)}px`;
    hover.style.top = `${event.clientY + 14}px`;
  });
  canvas.addEventListener('pointerleave', () => { hover.hidden = true; });
  window.addEventListener('resize', draw);
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
}
)js";

}  // namespace weft::detail
