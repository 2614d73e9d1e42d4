// What the browser remembers for a page. Where it may not, or is full, the page remembers it alone,
// for as long as it is open.

/** What stays when the browser is closed. */
export const lasting = storage(() => localStorage);

/** What this tab has, and no other. */
export const ofTab = storage(() => sessionStorage);

function storage(area) {
  const own = new Map(); // what the browser did not take
  return {
    /** Return the text that is kept under a key, or null. */
    get(key) {
      if (own.has(key)) return own.get(key);
      try {
        return area().getItem(key);
      } catch {
        return null;
      }
    },
    /** Keep a text under a key; null takes it away. */
    set(key, text) {
      try {
        if (text === null) area().removeItem(key);
        else area().setItem(key, text);
        own.delete(key);
      } catch {
        own.set(key, text);
      }
    },
  };
}
