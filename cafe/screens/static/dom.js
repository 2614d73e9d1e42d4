// Making and changing elements. What people wrote becomes text here, never markup.

/** Return the element with this id. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

/**
 * Make an element. `attributes` are set as they are; those that begin with "on" are listeners, and
 * false, null and undefined leave one out. `children` are nodes, or become text.
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Put these children into an element, in the place of those it has. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

/** Change an element's text, if it is another: live regions read out what changes. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Read out something that is seen elsewhere on the page. */
export function announce(text) {
  say(byId("news"), text);
}

/** Show what went wrong; an empty text takes it away. */
export function complain(text) {
  say(byId("trouble"), text);
}

/** Open a dialog; return the value of its button that was pressed, or "" if it was closed. */
export function ask(dialog) {
  dialog.returnValue = "";
  for (const button of dialog.querySelectorAll("button[value]")) button.onclick = () => dialog.close(button.value);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

/**
 * Keep a list's items in step with `values`: items are made by `create(value)`, changed by
 * `update(element, value)`, and known by `key(value)`, so focus and touch stay where they are.
 */
export function keepList(list, values, { key, create, update = () => {} }) {
  const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const items = values.map((value) => {
    const name = String(key(value));
    const item = known.get(name) ?? create(value);
    item.dataset.key = name;
    update(item, value);
    return item;
  });
  for (const item of [...list.children]) if (!items.includes(item)) item.remove(); // a copy: it is live
  items.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
}
