/** The theft: who holds which generation of the refresh token, and what becomes of whom. */

import { call } from './calls.js';
import { $, chip, clock, el, onPress } from './dom.js';

const HEADERS = { 'Content-Type': 'application/json', 'X-Requested-With': 'playground' };

const TOLD = {
  nothing: 'Nothing is stolen yet.',
  stolen: 'The thief has a copy of your cookie. Now one of you refreshes first.',
  renewed: 'You have the successor. What the thief has is a retry for as long as the grace lasts, then a theft.',
  retry: 'In the grace: it could be your own retry, so the thief is handed the same successor.',
  first:
    'The thief was first, and you hold the older token now. Refresh: in the grace you get the same ' +
    'successor, later the session ends.',
  ended: 'After the grace: a theft. The session is over, for both of you.',
};

const thievery = (before, after) => (after.generation === before.generation ? TOLD.retry : TOLD.first);

export function showTheft(auth, grace) {
  let until = 0;

  /** Show how things stand. Both make a call, to find out what they are worth. */
  async function show(report, story) {
    until = performance.now() + 1_000 * (report.grace ?? 0);
    $('#replay').disabled = !report.stolen;
    $('#yours').textContent = report.yours ?? '–';
    $('#thiefs').textContent = report.thief ?? '–';
    $('#thief-is').replaceChildren(report.call ? chip(report.call) : '–');
    $('#theft-out').textContent = story;
    countDown();
    if (report.stolen) $('#you-are').replaceChildren(chip(await call(auth)));
  }

  function countDown() {
    const left = (until - performance.now()) / 1_000;
    $('#grace-left').textContent = left > 0 ? clock(left) : 'over';
    $('#grace-bar').value = Math.max(0, left / (grace || 1));
  }

  setInterval(countDown, 250);
  onPress('#steal', async () => show(await steal(), TOLD.stolen));
  onPress('#renew', async () => {
    await renew(auth);
    if (auth.state.status === 'in') await show(await standing(), TOLD.renewed);
  });
  onPress('#replay', async () => {
    const before = await standing();
    const after = await replay();
    await show(after, after.ended ? TOLD.ended : thievery(before, after));
    // Of a session that has ended another process hears within a second; a refresh looks it up.
    if (after.ended && auth.state.status === 'in') await renew(auth);
  });

  auth.subscribe(async ({ status, claims }) => {
    const known = $('#theft').dataset.sid === claims?.sid;
    $('#theft').dataset.sid = claims?.sid ?? '';
    if (status === 'in' && !known) await show(await standing(), TOLD.nothing);
  });
}

// #region theft
async function theft(what, method) {
  const answer = await fetch(`/playground/${what}/`, { method, headers: HEADERS });
  return answer.json(); // the cookie goes along, unseen; the answer tells no secret
}

const steal = () => theft('theft', 'POST'); // the server copies your refresh cookie
const replay = () => theft('thief', 'POST'); // and refreshes with it, as somebody else
const standing = () => theft('theft', 'GET');

/** Refresh as oneself: ask for another token than the one at hand. */
const renew = async (auth) => auth.token({ rejected: await auth.token() }).catch(() => null);
// #endregion

/** Say what became of whom, once a session is over by theft; of any other end, nothing. */
export async function aftermath() {
  const report = await standing();
  if (!report.stolen || report.ended !== 'reuse') return null;
  const { told, call: worth } = report;
  return [
    el('p', '', 'A refresh token was used twice, so one of the two was a thief. The session is over, for both:'),
    el('p', 'fate', el('b', '', 'You'), ' are logged out, and can log in again.'),
    el('p', 'fate', el('b', '', 'The thief'), ' is out too. Its last refresh: ', outcome(told?.status),
      ', its last call: ', outcome(worth), '.'),
  ];
}

const outcome = (status) => chip(status ?? 'none', status ? 'bad' : '');
