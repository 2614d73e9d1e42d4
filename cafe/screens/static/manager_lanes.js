// A day as lanes, one for each table, in which bookings are bars that can be pressed. Requests of
// one table may overlap: they get rows of their own within the lane.

import { make } from "./dom.js";
import { hour, word } from "./manager_words.js";
import { t } from "./texts.js";

const OPENS = 8;
const CLOSES = 22; // the hours that are shown at least
const ROW = 52; // px
const HOUR = 3_600_000; // ms

/** Draw the bookings of a day that has these limits; `open(booking)` is called for one that is pressed. */
export function lanes([begin, end], tables, bookings, open) {
  const spans = bookings.map((one) => [Math.max(begin, new Date(one.from)), Math.min(end, new Date(one.to))]);
  const from = Math.min(begin.getTime() + OPENS * HOUR, ...spans.map(([start]) => start));
  const to = Math.max(begin.getTime() + CLOSES * HOUR, ...spans.map(([, stop]) => stop));
  const place = (time) => (100 * (time - from)) / (to - from);
  const lane = ({ table_id: id, number, seats }) => {
    const track = make("div", { class: "track" });
    const busyUntil = []; // by row
    bookings.forEach((booking, index) => {
      if (booking.table_id !== id) return;
      const [start, stop] = spans[index];
      let row = busyUntil.findIndex((until) => until <= start);
      if (row < 0) row = busyUntil.length;
      busyUntil[row] = stop;
      track.append(bar(booking, { start: place(start), stop: place(stop), row }, open));
    });
    track.style.height = `${Math.max(1, busyUntil.length) * ROW}px`;
    return make("li", {}, make("span", { class: "lane" }, t("lane", { number, seats })), track);
  };
  return make("div", { class: "card lanes" }, axis(from, to, place), make("ul", { "aria-label": t("lanes") }, ...tables.map(lane)));
}

function bar(booking, { start, stop, row }, open) {
  const { from, to, name, party, status, table } = booking;
  const label = t("bar", { table: table.number, from: hour(from), to: hour(to), name: name ?? "–", party, status: word("booking", status) });
  const made = make("button", { type: "button", class: `bar ${status}`, "aria-label": label, title: label, onclick: () => open(booking) });
  made.textContent = `${hour(from)} ${name ?? ""}`.trim();
  made.style.left = `${start}%`;
  made.style.width = `${stop - start}%`;
  made.style.top = `${row * ROW}px`;
  return made;
}

function axis(from, to, place) {
  const marks = make("div", { class: "axis", "aria-hidden": "true" });
  const step = 2 * HOUR;
  for (let time = Math.ceil(from / step) * step; time < to; time += step) {
    const mark = make("span", {}, hour(time));
    mark.style.left = `${place(time)}%`;
    marks.append(mark);
  }
  return marks;
}
