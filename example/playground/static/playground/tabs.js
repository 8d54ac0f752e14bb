/** Count the open tabs, and log what this tab receives from the others. */

import { $ } from './dom.js';

// #region tabs
/** Log each access token that this tab did not request: another tab has passed it on. */
export function noteNews(auth, log) {
  const requests = /^\/(auth\/(login|refresh)|playground\/expired)\/$/; // the last is this page's own
  let requested = 0;
  let lastJti;
  log.listen(({ path, status }) => {
    if (requests.test(path) && status === 200) requested += 1;
  });
  auth.subscribe(({ claims }) => {
    if (!claims || claims.jti === lastJti) return;
    if (requested === 0) log.note('received an access token from another tab');
    lastJti = claims.jti;
    requested = 0;
  });
}

export function countTabs() {
  const channel = new BroadcastChannel('playground tabs');
  const ownId = String(Math.random());
  const others = new Set();
  const tell = (event) => channel.postMessage({ id: ownId, event });
  const show = () => {
    $('#tabs-count').textContent = others.size ? `${others.size + 1} tabs` : 'only this tab';
  };
  channel.onmessage = ({ data: { id, event } }) => {
    event === 'bye' ? others.delete(id) : others.add(id);
    if (event === 'hello') tell('here');
    show();
  };
  addEventListener('pagehide', () => tell('bye'));
  addEventListener('pageshow', () => tell('hello'));
  show();
}
// #endregion
