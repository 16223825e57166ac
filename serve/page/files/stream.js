// Server-sent events. The browser opens a broken stream again by itself, and tells the server the
// last event that it saw.

import { check } from "./connection.js";

/**
 * Follows a stream until it is stopped.
 * @param {string} path
 * @param {Record<string, (data: any) => void>} handlers by the names of events
 * @param {() => void} refused called when the server does not give the stream, or no longer
 * @returns {() => void} stops following
 */
export function follow(path, handlers, refused) {
  const source = new EventSource(path);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) refused();
    else check();
  });
  return () => source.close();
}
