/** Show that the refresh token is in no storage that a script of this page can read. */

import { $, chip, el } from './dom.js';

export function showKeeping(auth) {
  auth.subscribe(() => search().then(show));
}

// #region keeping
/** Count the entries in each storage that a page can use. */
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

function show(counts) {
  const row = ([place, count]) =>
    el('li', '', el('code', '', place), count ? chip(`${count} entries`, 'bad') : chip('empty', 'good'));
  $('#places').replaceChildren(...counts.map(row));
}
