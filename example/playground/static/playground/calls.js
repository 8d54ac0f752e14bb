/** Call a protected view: once, twenty times at once, and with an expired token. */

import { $, chip, el, onPress, toneOf } from './dom.js';
import { decoded } from './token.js';

export function showCalls(auth, log) {
  const line = (entries) => el('span', 'line', ...entries.map(step));
  const tell = (selector, entries, text) => $(selector).replaceChildren(line(entries), el('p', '', text));

  onPress('#call', async () => {
    const seen = await log.during(() => call(auth));
    tell('#calls-out', seen, last(seen)?.status === 200 ? '“Hello, World!”' : 'The call failed.');
  });
  onPress('#calls', async () => {
    await expire(auth);
    $('#calls-out').replaceChildren(...summary(await log.during(() => callTwentyTimes(auth))));
  });
  onPress('#expire', async () => {
    await expire(auth);
    const seen = await log.during(() => call(auth));
    const all = last(seen)?.status === 200 && seen.some(isRefresh);
    tell('#expire-out', seen, all ? 'You made one call, and it succeeded.' : 'The call failed: see the event log.');
  });
}

const isCall = ({ path }) => path === '/hello/';
const isRefresh = ({ path }) => path === '/auth/refresh/';
const last = (entries) => entries.at(-1);

/** Summarize many requests: one row of dots for each outcome. */
function summary(entries) {
  const refreshes = entries.filter(isRefresh);
  const calls = (fits) => entries.filter((entry) => isCall(entry) && fits(entry.status));
  const rows = {
    rejected: calls((status) => status === 401),
    refreshed: refreshes,
    succeeded: calls((status) => status === 200),
    failed: calls((status) => status !== 401 && status !== 200),
  };
  const counted = `${rows.succeeded.length} of 20 calls succeeded, after ${rows.rejected.length} rejections and `;
  const renewed = el('b', '', refreshes.length === 1 ? '1 refresh' : `${refreshes.length} refreshes`);
  const filled = Object.entries(rows).filter(([, requests]) => requests.length);
  return [...filled.map(dots), el('p', '', counted, renewed, '.')];
}

function dots([name, entries]) {
  const all = entries.map(({ status }) => el('i', `dot ${toneOf(status)}`));
  return el('span', 'dots', statusOf(entries[0].status), el('small', '', name), el('span', 'run', ...all));
}

const statusOf = (status) => (status ? chip(status) : chip('no answer', 'bad'));

/** Return an element that shows one request of a chain. */
export function step({ path, status, ms }) {
  const name = isRefresh({ path }) ? 'refresh' : 'call';
  return el('span', 'step', el('small', '', name), statusOf(status), el('small', '', `${Math.round(ms)} ms`));
}

// #region calls
/** Call the protected view. The client adds the access token, and refreshes it if necessary. */
export async function call(auth) {
  const answer = await auth.fetch('/hello/').catch((error) => error); // a network failure counts as status 0
  return answer.status ?? 0;
}

const callTwentyTimes = (auth) => Promise.all(Array.from({ length: 20 }, () => call(auth)));
// #endregion

// #region expire
/**
 * Give the client an access token that has really expired, in this tab and the others.
 *
 * The token arrives like a new token from another tab, through a channel that is not part of the
 * client's interface. The client believes that the token is valid, so only the server's 401 reveals it.
 */
export async function expire(auth) {
  const answer = await auth.fetch('/playground/expired/', { method: 'POST' }).catch(() => null);
  if (!answer?.ok) return; // the current token has expired already, and cannot be refreshed now
  const { access } = await answer.json();
  const { jti } = decoded(access.split('.')[1]);
  const tabs = new BroadcastChannel(`drf-signet ${location.origin}/auth/`);
  tabs.postMessage({ grant: { access, lifetime: 60_000, sentAt: Date.now() } });
  await waitForToken(auth, jti);
  tabs.close();
}

/** Wait until the client holds this token, or no token at all. */
async function waitForToken(auth, jti) {
  let end;
  await new Promise((resolve) => {
    end = auth.subscribe(({ claims }) => (!claims || claims.jti === jti) && resolve());
  });
  end();
}
// #endregion
