/** The theft: who holds which generation of the refresh token, and what becomes of whom. */

import { call } from './calls.js';
import { $, chip, clock, onPress, toneOf } from './dom.js';

const HEADERS = { 'Content-Type': 'application/json', 'X-Requested-With': 'playground' };

export function showTheft(auth, grace) {
  let until = 0;

  function show(report, story) {
    until = performance.now() + 1_000 * (report.grace ?? 0);
    $('#theft').dataset.stolen = report.stolen;
    $('#yours').textContent = report.yours ?? '–';
    $('#thiefs').textContent = report.thief ?? '–';
    standing('#you-are', auth.state.status === 'in' ? 200 : 401);
    standing('#thief-is', report.call ?? null);
    if (story) $('#theft-out').textContent = story;
  }

  onPress('#steal', async () => show(await steal(), TOLD.stolen));
  onPress('#replay', async () => {
    const before = await theft('theft', 'GET');
    const report = await replay();
    show(report, storyOf(before, report));
    await call(auth); // how does the victim stand?
  });
  onPress('#renew', async () => {
    await renew(auth);
    if (auth.state.status === 'in') show(await theft('theft', 'GET'), TOLD.renewed);
  });

  setInterval(() => {
    const left = (until - performance.now()) / 1_000;
    $('#grace-left').textContent = left > 0 ? clock(left) : 'over';
    $('#grace-bar').value = Math.max(0, left / grace);
  }, 250);
  auth.subscribe(({ status, claims }) => {
    const known = $('#theft').dataset.sid === claims?.sid;
    $('#theft').dataset.sid = claims?.sid ?? '';
    if (status === 'in' && !known) theft('theft', 'GET').then((report) => show(report, TOLD.nothing));
  });
}

const TOLD = {
  nothing: 'Nothing is stolen yet.',
  stolen: 'The thief has a copy of your cookie. Now one of you refreshes first.',
  renewed: 'You have the successor. A token from before is a retry for as long as the grace lasts.',
  retry: 'In the grace: this could be your own retry, so the thief is handed the same successor.',
  first: 'The thief was first, and you hold the older token now. Refresh: in the grace you get the same successor, later the session ends.',
  ended: 'The session is over, for both of you.',
};

function storyOf(before, { told, generation, ended }) {
  if (ended) return TOLD.ended;
  if (told.status !== 200) return `The thief gets ${told.status}.`;
  return generation === before.generation ? TOLD.retry : TOLD.first;
}

function standing(selector, status) {
  const text = status === null ? 'has no token yet' : status;
  $(selector).replaceChildren(status === null ? chip(text, '') : chip(text, toneOf(status)));
}

// #region theft
async function theft(what, method) {
  const answer = await fetch(`/playground/${what}/`, { method, headers: HEADERS });
  return answer.json(); // the cookie goes along, unseen; the answer tells no secret
}

const steal = () => theft('theft', 'POST'); // the server copies your refresh cookie
const replay = () => theft('thief', 'POST'); // and refreshes with it, as somebody else
const renew = async (auth) => auth.token({ rejected: await auth.token() }).catch(() => null); // as you
// #endregion

/** Return what the server knows of a theft, once the session is over; null if it was none. */
export async function aftermath() {
  const report = await theft('theft', 'GET');
  return report.stolen && report.ended === 'reuse' ? report : null;
}
