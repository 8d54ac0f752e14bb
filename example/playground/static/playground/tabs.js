/** How many tabs are open, and what one hears of the others. */

import { $ } from './dom.js';

// #region tabs
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
