/** Call a protected view: once, twenty times at once, and with an expired token. */

import { $, chip, el, onPress, toneOf } from './dom.js';
import { decoded } from './token.js';

export function showCalls(auth, log) {
  const greeted = (seen) => [line(seen), el('p', '', last(seen)?.status === 200 ? '“Hello, World!”' : 'The call failed.')];
  const renewed = (seen) => last(seen)?.status === 200 && seen.some(isRefresh);
  const answered = (seen) =>
    [line(seen), el('p', '', renewed(seen) ? 'You made one call, and it succeeded.' : 'The call failed: see the event log.')];

  onPress('#call', () => watch(log, $('#calls-out'), () => call(auth), { result: greeted }));
  onPress('#calls', () =>
    watch(log, $('#calls-out'), () => callTwentyTimes(auth), { before: () => expire(auth), show: rows, result: summary }));
  onPress('#expire', () =>
    watch(log, $('#expire-out'), () => call(auth), { before: () => expire(auth), result: answered }));
}

/**
 * Call a function, and show its requests in `out`: those answered so far, while the server is slow, and
 * the result at the end.
 */
export async function watch(log, out, work, { before, show = (seen) => [line(seen)], result }) {
  const seen = [];
  const waiting = el('p', 'waiting', 'Waiting for the server …', el('progress'));
  let shown = -1;
  const timer = setInterval(() => {
    if (shown !== seen.length) out.replaceChildren(...show(seen), waiting);
    shown = seen.length;
  }, PATIENCE);
  out.ariaBusy = 'true';
  try {
    await before?.();
    await log.during(work, seen);
    out.replaceChildren(...result(seen));
  } finally {
    clearInterval(timer);
    out.ariaBusy = null;
  }
}

/** How long nothing is shown of a request that has no answer yet, in milliseconds. */
const PATIENCE = 300;

export const line = (entries) => el('span', 'line', ...entries.map(step));
const isCall = ({ path }) => path === '/hello/';
const isRefresh = ({ path }) => path === '/auth/refresh/';
const last = (entries) => entries.at(-1);

/** Return many requests by their outcome. */
function outcomes(entries) {
  const calls = (fits) => entries.filter((entry) => isCall(entry) && fits(entry.status));
  return {
    rejected: calls((status) => status === 401),
    refreshed: entries.filter(isRefresh),
    succeeded: calls((status) => status === 200),
    failed: calls((status) => status !== 401 && status !== 200),
  };
}

/** Show many requests: one row of dots for each outcome. */
const rows = (entries) => Object.entries(outcomes(entries)).filter(([, requests]) => requests.length).map(dots);

function summary(entries) {
  const { rejected, refreshed, succeeded } = outcomes(entries);
  const counted = `${succeeded.length} of 20 calls succeeded, after ${rejected.length} rejections and `;
  const renewed = el('b', '', refreshed.length === 1 ? '1 refresh' : `${refreshed.length} refreshes`);
  return [...rows(entries), el('p', '', counted, renewed, '.')];
}

function dots([name, entries]) {
  const all = entries.map(({ status }) => el('i', `dot ${toneOf(status)}`));
  return el('span', 'dots', statusOf(entries[0].status), el('small', '', name), el('span', 'run', ...all));
}

const statusOf = (status) => (status ? chip(status) : chip('no answer', 'bad'));

/** Return an element that shows one request of a chain. */
function step({ path, status, ms }) {
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
