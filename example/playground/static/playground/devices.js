/** List the user's sessions as devices. */

import { $, busy, el, onPress } from './dom.js';

const MAX_SHOWN = 5;

export function showDevices(auth, log) {
  const reload = () => list(auth).then((sessions) => show(sessions, change));
  const report = ({ detail }) => log.note(detail);

  /** Send a change, and show the new list. */
  async function change(work) {
    await work(auth).catch(report);
    if (auth.state.status !== 'in') return; // the session of this device was ended
    await reload().catch(report);
    if (document.activeElement === document.body) $('#devices-title').focus(); // the focused row is gone
  }

  auth.subscribe(({ status, claims }) => {
    const known = $('#devices').dataset.sid === claims?.sid;
    $('#devices').dataset.sid = claims?.sid ?? '';
    if (status === 'in' && !known) reload().catch(report);
  });
  onPress('#device', () => change(logInOnPhone));
  onPress('#devices-reload', () => reload().catch(report));
  onPress('#others', () => change(endOthers));
  onPress('#everywhere', () => auth.logout({ everywhere: true }).catch(report));
}

// #region devices
const list = (auth) => auth.sessions.list(); // [{ id, device, label, current, … }]
const endOthers = (auth) => auth.sessions.endOthers();
const endOne = (id) => (auth) => auth.sessions.end(id); // logs out if it is this device
const logInOnPhone = (auth) => auth.fetch('/playground/device/', { method: 'POST' }); // only in the demo
const rename = (id, label) => (auth) => auth.sessions.rename(id, label);
// #endregion

function show(sessions, change) {
  const first = sessions.sort((a, b) => b.current - a.current).slice(0, MAX_SHOWN);
  const more = sessions.length - first.length;
  const rest = more ? [el('li', '', el('small', '', `and ${more} more`))] : [];
  $('#devices').replaceChildren(...first.map((session) => row(session, change)), ...rest);
}

function row(session, change) {
  const { id, current, device, label, ip_address: address, refreshed_at: used } = session;
  const name = label || device || 'An unknown program';
  const title = el('b', '', name, current ? el('span', 'tag', 'this device') : '');
  const facts = [label && device, address ?? 'unknown address', `last used ${new Date(used).toLocaleTimeString('en-GB')}`];
  const what = el('span', 'device', title, el('small', '', facts.filter(Boolean).join(', ')));
  const item = el('li', '', what, el('span', 'device-buttons',
    button('Rename', name, () => item.replaceChildren(renaming(session, change))),
    button('End', name, () => change(endOne(id)), 'End session')));
  return item;
}

function button(text, name, work, label = text) {
  const element = el('button', 'small', text);
  element.type = 'button';
  element.ariaLabel = `${label}: ${name}`;
  element.addEventListener('click', () => busy(element, work));
  return element;
}

function renaming({ id, label, device }, change) {
  const input = Object.assign(el('input'), { value: label, placeholder: device, maxLength: 64, ariaLabel: 'Name of the device' });
  const form = el('form', 'renaming', input, el('button', 'small', 'Save'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy(form.lastChild, () => change(rename(id, input.value)));
  });
  setTimeout(() => input.focus());
  return form;
}
