/** The event log: each request, and each change of what the client knows. */

import { chip, el } from './dom.js';

const KEPT = 200;

const WHAT = [
  [/^\/auth\/login\/$/, 'log in'],
  [/^\/auth\/refresh\/$/, 'refresh'],
  [/^\/auth\/logout\//, 'log out'],
  [/^\/api\/token\/sessions\/./, 'end a session'],
  [/^\/api\/token\/sessions\/$/, 'list the sessions'],
  [/^\/hello\/$/, 'a protected call'],
  [/^\/playground\/expired\/$/, 'demo: an old token'],
  [/^\/playground\/device\/$/, 'demo: another device'],
  [/^\/playground\/theft\/$/, 'demo: who holds what'],
  [/^\/playground\/thief\/$/, 'demo: the thief refreshes'],
];

/** Write into a list. `during` collects what is requested while some work is under way. */
export function createLog(list) {
  const listeners = new Set();

  function write(...parts) {
    const time = el('time', '', new Date().toLocaleTimeString('en-GB'));
    list.prepend(el('li', '', time, ...parts));
    list.children[KEPT]?.remove();
  }

  function request(entry) {
    for (const listener of listeners) listener(entry);
    const { method, path, status, ms } = entry;
    const what = WHAT.find(([pattern]) => pattern.test(path))?.[1] ?? '';
    const short = path.replace(/[0-9a-f-]{36}/, '…');
    const line = el('span', 'request', el('b', '', method), ' ', el('span', 'path', short));
    write(line, status ? chip(status) : chip('no answer', 'bad'), el('span', 'what', what), took(ms));
  }

  const took = (ms) => el('span', 'ms', `${Math.round(ms)} ms`);
  const note = (text) => write(el('span', 'note', text));

  /** Call a function with each request; returns how to end it. */
  function listen(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async function during(work) {
    const seen = [];
    const end = listen((entry) => seen.push(entry));
    try {
      await work();
    } finally {
      end();
    }
    return seen;
  }

  const clear = () => list.replaceChildren();
  return { request, note, listen, during, clear };
}
