/** The sessions of the user, as devices. */

import { $, el, onPress } from './dom.js';

const SHOWN = 5;

export function showDevices(auth, log) {
  const refresh = () => list(auth).then((sessions) => sessions && show(sessions, end));

  async function end(id) {
    await endOne(auth, id);
    await refresh(); // of this device's own session: 401, and the client finds out
    $('#devices-title').focus();
  }

  auth.subscribe(({ status, claims }) => {
    const known = $('#devices').dataset.sid === claims?.sid;
    $('#devices').dataset.sid = claims?.sid ?? '';
    if (status === 'in' && !known) refresh();
  });
  onPress('#device', async () => {
    await auth.fetch('/playground/device/', { method: 'POST' });
    await refresh();
  });
  onPress('#devices-reload', refresh);
  onPress('#everywhere', () => auth.logout({ everywhere: true }).catch(({ detail }) => log.note(detail)));
}

// #region devices
async function list(auth) {
  const answer = await auth.fetch('/api/token/sessions/').catch(() => null);
  return answer?.ok ? answer.json() : null;
}

function endOne(auth, id) {
  return auth.fetch(`/api/token/sessions/${id}/`, { method: 'DELETE' }).catch(() => null);
}
// #endregion

function show(sessions, end) {
  const first = sessions.sort((one, other) => other.current - one.current).slice(0, SHOWN);
  const more = sessions.length - first.length;
  const rest = more ? [el('li', '', el('small', '', `and ${more} more`))] : [];
  $('#devices').replaceChildren(...first.map((session) => row(session, end)), ...rest);
}

function row({ id, current, user_agent: agent, ip_address: address, refreshed_at: used }, end) {
  const name = nameOf(agent);
  const button = el('button', 'small', 'End this one');
  button.type = 'button';
  button.ariaLabel = `End this one: ${name}`;
  button.addEventListener('click', () => end(id));
  const title = el('b', '', name, current ? el('span', 'tag', 'this one') : '');
  const where = `${address ?? 'unknown address'}, last used ${new Date(used).toLocaleTimeString('en-GB')}`;
  return el('li', '', el('span', 'device', title, el('small', '', where)), button);
}

/** Guess a name, as lists of devices do: from what the browser said at the login. */
function nameOf(agent) {
  const first = (names) => names.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = first([[/Firefox/, 'Firefox'], [/Edg/, 'Edge'], [/Chrom/, 'Chrome'], [/Safari/, 'Safari']]);
  const system = first([[/iPhone/, 'iPhone'], [/Android/, 'Android'], [/Mac/, 'Mac'], [/Windows/, 'Windows'], [/Linux/, 'Linux']]);
  return browser ? `${browser} on ${system ?? 'something'}` : agent.split('/')[0] || 'A program';
}
