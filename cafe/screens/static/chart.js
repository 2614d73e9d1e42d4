// Charts as SVG, with a table of the same figures for those who cannot see or prefer not to.
//
// Places are percentages of the width, so a chart fits its column, and its text keeps its size.

import { make } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 160; // px of the tallest column
const LINE = 44; // px of a bar with its label
const MOST_LABELS = 8;
const FEWEST = 6; // columns that a chart has room for

function draw(tag, attributes, text = "") {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

function picture(title, height, ...parts) {
  const svg = draw("svg", { class: "chart", role: "img", "aria-label": title, width: "100%", height });
  svg.append(...parts);
  return svg;
}

function highest(values) {
  return Math.max(...values.map(({ value }) => value), 0) || 1;
}

/** Draw `values`, each a label, a value and its text, as columns. */
export function columns(title, values) {
  const wide = 100 / Math.max(values.length, FEWEST);
  const step = Math.ceil(values.length / MOST_LABELS);
  const parts = values.flatMap(({ label, value, text }, index) => {
    const height = (value / highest(values)) * HEIGHT;
    const middle = `${(index + 0.5) * wide}%`;
    const column = { x: `${(index + 0.15) * wide}%`, width: `${wide * 0.7}%`, y: 20 + HEIGHT - height, height };
    const shown = [draw("rect", { class: "bar", rx: 3, ...column })];
    if (values.length <= MOST_LABELS * 3) shown.push(draw("text", { x: middle, y: 14 + HEIGHT - height, "text-anchor": "middle" }, text));
    if (index % step === 0) shown.push(draw("text", { x: middle, y: HEIGHT + 38, "text-anchor": "middle" }, label));
    return shown;
  });
  return picture(title, HEIGHT + 46, ...parts);
}

/** Draw `values` as bars below each other. */
export function bars(title, values) {
  const parts = values.flatMap(({ label, value, text }, index) => [
    draw("text", { x: 0, y: index * LINE + 16 }, `${label}: ${text}`),
    draw("rect", { class: "rail", x: 0, y: index * LINE + 22, width: "100%", height: 12, rx: 3 }),
    draw("rect", { class: "bar", x: 0, y: index * LINE + 22, width: `${(value / highest(values)) * 100}%`, height: 12, rx: 3 }),
  ]);
  return picture(title, values.length * LINE, ...parts);
}

/** Put a chart under a heading, and below it, folded, the table with `heads` and `rows`. */
export function figure(title, chart, { summary, heads, rows }) {
  const head = heads.map((one) => make("th", { scope: "col" }, one));
  const body = rows.map(([first, ...rest]) =>
    make("tr", {}, make("th", { scope: "row" }, first), ...rest.map((one) => make("td", {}, one))),
  );
  const table = make("table", {}, make("caption", { class: "unseen" }, title), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  return make("section", { class: "card" }, make("h3", {}, title), chart, make("details", {}, make("summary", {}, summary), table));
}
