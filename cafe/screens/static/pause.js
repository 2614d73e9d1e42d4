// Waiting between two attempts.

/** Wait so long; not as long if the browser is online again, or `stopped`. */
export function pause(milliseconds, stopped) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      stopped.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    stopped.addEventListener("abort", done);
  });
}
