// How the manager's page writes what the API says in words, times and sums.

import { clock, duration, has, money, region, t } from "./texts.js";

/** Return the text for a word of the API, such as a status; the word itself if there is none. */
export function word(kind, value) {
  const key = `${kind}_${value.replaceAll(" ", "_")}`;
  return has(key) ? t(key) : value;
}

/** Return options of a select for words of the API. */
export function words(kind, values) {
  return values.map((value) => [value, word(kind, value)]);
}

/** Return a day and a time; an empty text for none. */
export function when(time) {
  if (time === null) return "";
  const style = { dateStyle: "short", timeStyle: "short" };
  return new Intl.DateTimeFormat(region, style).format(new Date(time));
}

/** Return the time of day. */
export function hour(time) {
  return clock(new Date(time));
}

/** Return seconds as minutes and seconds; a dash for none. */
export function lasted(seconds) {
  return seconds === null || seconds === undefined ? "–" : duration(seconds);
}

/** Return cents as money; a dash for none. */
export function sum(cents) {
  return cents === null ? "–" : money(cents);
}

/** Return the cents of an amount that a person has typed. */
export function cents(amount) {
  return Math.round(Number(amount) * 100);
}

/** Return the date of a time in this browser's zone, as a date field has it. */
export function dayOf(time) {
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}
