// The page's texts, which the server has put into it, and how times and money are written.

const texts = JSON.parse(document.getElementById("texts").textContent);
export const language = document.documentElement.lang;
export const region = navigator.languages.find((one) => one.split("-")[0] === language) ?? language; // en-GB

/** Return the text of a key, with each `{name}` in it filled in. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Return whether there is a text of this key: for words that the API may say. */
export function has(key) {
  return Object.hasOwn(texts, key);
}

/** Return the text for a number: `key_one` for one, else `key_other`. */
export function count(key, n, values = {}) {
  return t(n === 1 ? `${key}_one` : `${key}_other`, { n, ...values });
}

/** Return cents as money. The shop knows no currency, so none is shown. */
export function money(cents) {
  return new Intl.NumberFormat(region, { minimumFractionDigits: 2 }).format(cents / 100);
}

/** Return a time of day. */
export function clock(time, seconds = false) {
  const style = seconds ? { timeStyle: "medium" } : { timeStyle: "short" };
  return new Intl.DateTimeFormat(region, style).format(time);
}

/** Return a duration as minutes and seconds, such as 2:05. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
