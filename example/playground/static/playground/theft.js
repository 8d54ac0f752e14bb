/** The theft: who holds which generation of the refresh token, and who gets logged out. */

import { call } from './calls.js';
import { $, chip, clock, el, onPress } from './dom.js';

const HEADERS = { 'Content-Type': 'application/json', 'X-Requested-With': 'playground' };

const MESSAGES = {
  nothing: 'Nothing is stolen yet.',
  stolen: 'The thief has a copy of your cookie. Now choose who refreshes first.',
  renewed: 'You have the new token. Within the grace period the old token counts as a retry, later as theft.',
  retry: 'Within the grace period this could be your own retry, so the thief gets the same new token.',
  first:
    'The thief refreshed first, and you hold the old token now. Refresh: within the grace period you get ' +
    'the same new token, later the session ends.',
  ended: 'After the grace period this is theft. The session has ended for both of you.',
};

const replayMessage = (before, after) => (after.generation === before.generation ? MESSAGES.retry : MESSAGES.first);

export function showTheft(auth, grace) {
  let until = 0;
  let rotated = false;

  /** Show a report. You and the thief each make a call, to check whether your access tokens work. */
  async function show(report, message) {
    until = performance.now() + 1_000 * (report.grace ?? 0);
    rotated = report.generation > 0;
    $('#replay').disabled = !report.stolen;
    $('#yours').textContent = report.yours ?? '–';
    $('#thiefs').textContent = report.thief ?? '–';
    $('#thief-is').replaceChildren(report.last_call ? chip(report.last_call) : '–');
    $('#theft-out').textContent = message;
    countDown();
    $('#you-are').replaceChildren(report.stolen ? chip(await call(auth)) : '–');
  }

  function countDown() {
    const left = (until - performance.now()) / 1_000;
    $('#grace-left').textContent = left > 0 ? clock(left) : rotated ? 'ended' : 'not started';
    $('#grace-bar').value = Math.max(0, left / (grace || 1));
  }

  setInterval(countDown, 250);
  onPress('#steal', async () => show(await steal(), MESSAGES.stolen));
  onPress('#renew', async () => {
    await renew(auth);
    if (auth.state.status === 'in') await show(await getReport(), MESSAGES.renewed);
  });
  onPress('#replay', async () => {
    const before = await getReport();
    const after = await replay();
    await show(after, after.ended ? MESSAGES.ended : replayMessage(before, after));
    // Another process learns of the ended session within a second; a refresh reads the database at once.
    if (after.ended && auth.state.status === 'in') await renew(auth);
  });

  auth.subscribe(async ({ status, claims }) => {
    const known = $('#theft').dataset.sid === claims?.sid;
    $('#theft').dataset.sid = claims?.sid ?? '';
    if (status === 'in' && !known) await show(await getReport(), MESSAGES.nothing);
  });
}

// #region theft
async function theft(endpoint, method) {
  const answer = await fetch(`/playground/${endpoint}/`, { method, headers: HEADERS });
  return answer.json(); // the browser sends the cookie; the response contains no token
}

const steal = () => theft('theft', 'POST'); // the server copies your refresh cookie
const replay = () => theft('thief', 'POST'); // the server refreshes with the copy, as another client
const getReport = () => theft('theft', 'GET');

/** Refresh as the visitor: ask for a token other than the current token. */
const renew = async (auth) => auth.token({ rejected: await auth.token() }).catch(() => null);
// #endregion

/** Return messages for you and the thief if the session ended by theft, else null. */
export async function aftermath() {
  const report = await getReport();
  if (!report.stolen || report.ended !== 'reuse') return null;
  const { last_refresh: lastRefresh, last_call: lastCall } = report;
  return [
    el('p', '', 'An old refresh token was used again: somebody has stolen a copy. The session has ended for both:'),
    el('p', 'fate', el('b', '', 'You'), ' are logged out, and can log in again.'),
    el('p', 'fate', el('b', '', 'The thief'), ' is logged out too. Its last refresh: ', outcome(lastRefresh?.status),
      ', its last call: ', outcome(lastCall), '.'),
  ];
}

const outcome = (status) => chip(status ?? 'none', status ? 'bad' : '');
