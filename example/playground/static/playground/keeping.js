/** Where the refresh token is: not in any place that a script of this page can look into. */

import { $, chip, el } from './dom.js';

export function showKeeping(auth) {
  auth.subscribe(() => search().then(show));
}

// #region keeping
/** Look into each place where a page may keep things, and count what is there. */
async function search() {
  return [
    ['document.cookie', document.cookie.split(';').filter((cookie) => cookie.trim()).length],
    ['localStorage', localStorage.length],
    ['sessionStorage', sessionStorage.length],
    ['IndexedDB', (await indexedDB.databases()).length],
    ['Cache storage', (await globalThis.caches?.keys())?.length ?? 0],
  ];
}
// #endregion

function show(found) {
  const row = ([place, count]) =>
    el('li', '', el('code', '', place), count ? chip(`${count} entries`, 'bad') : chip('empty', 'good'));
  $('#places').replaceChildren(...found.map(row));
}
