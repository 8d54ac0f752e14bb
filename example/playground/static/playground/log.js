/** The event log: every request, and every change of the client's state. */

import { chip, el } from './dom.js';

const MAX_ENTRIES = 200;

const DESCRIPTIONS = [
  [/^\/auth\/login\/$/, 'log in'],
  [/^\/auth\/refresh\/$/, 'refresh'],
  [/^\/auth\/logout\/others\//, 'end all other sessions'],
  [/^\/auth\/logout\//, 'log out'],
  [/^\/auth\/sessions\/./, 'rename or end a session'],
  [/^\/auth\/sessions\/$/, 'list the sessions'],
  [/^\/hello\/$/, 'a protected call'],
  [/^\/playground\/expired\/$/, 'demo: an expired token'],
  [/^\/playground\/user\/$/, 'demo: your username'],
  [/^\/playground\/tour\/$/, 'demo: do not show the tour again'],
  [/^\/playground\/device\/$/, 'demo: another device'],
  [/^\/playground\/theft\/$/, 'demo: who holds which token'],
  [/^\/playground\/thief\/$/, 'demo: the thief refreshes'],
];

/** Create a log that writes to a list. */
export function createLog(list) {
  const listeners = new Set();

  function write(...parts) {
    const time = el('time', '', new Date().toLocaleTimeString('en-GB'));
    list.prepend(el('li', '', time, ...parts));
    list.children[MAX_ENTRIES]?.remove();
  }

  function request(entry) {
    for (const listener of listeners) listener(entry);
    const { method, path, status, ms } = entry;
    const what = DESCRIPTIONS.find(([pattern]) => pattern.test(path))?.[1] ?? '';
    const short = path.replace(/[0-9a-f-]{36}/, '…');
    const line = el('span', 'request', el('b', '', method), ' ', el('span', 'path', short));
    write(line, status ? chip(status) : chip('no answer', 'bad'), el('span', 'what', what), took(ms));
  }

  const took = (ms) => el('span', 'ms', `${Math.round(ms)} ms`);
  const note = (text) => write(el('span', 'note', text));

  /** Call a function for each request; return a function that stops this. */
  function listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Call a function, and add each request that is sent meanwhile to `seen`. */
  async function during(work, seen) {
    const end = listen((entry) => seen.push(entry));
    try {
      await work();
    } finally {
      end();
    }
  }

  const clear = () => list.replaceChildren();
  return { request, note, listen, during, clear };
}
