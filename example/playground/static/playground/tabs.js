/** How many tabs are open, and what one hears of the others. */

import { $ } from './dom.js';

// #region tabs
/** Note each token that this tab has not asked for: another one has, and has passed it on. */
export function noteNews(auth, log) {
  let asked = 0;
  let known;
  log.listen(({ path, status }) => {
    if (/^\/auth\/(login|refresh)\/$/.test(path) && status === 200) asked += 1;
  });
  auth.subscribe(({ claims }) => {
    if (!claims || claims.jti === known) return;
    if (asked === 0) log.note('handed over between tabs: an access token');
    known = claims.jti;
    asked = 0;
  });
}

export function countTabs() {
  const channel = new BroadcastChannel('playground tabs');
  const me = String(Math.random());
  const others = new Set();
  const tell = (what) => channel.postMessage({ id: me, what });
  const show = () => {
    $('#tabs-count').textContent = others.size ? `${others.size + 1} tabs` : 'this tab alone';
  };
  channel.onmessage = ({ data: { id, what } }) => {
    what === 'bye' ? others.delete(id) : others.add(id);
    if (what === 'hello') tell('here');
    show();
  };
  addEventListener('pagehide', () => tell('bye'));
  addEventListener('pageshow', () => tell('hello'));
  show();
}
// #endregion
