/** Calls of a protected view: one, twenty at once, and with a token that is over. */

import { $, chip, el, onPress, toneOf } from './dom.js';
import { decoded } from './token.js';

export function showCalls(auth, log) {
  const line = (entries) => el('span', 'line', ...entries.map(step));
  const tell = (selector, entries, text) => $(selector).replaceChildren(line(entries), el('p', '', text));

  onPress('#call', async () => {
    const seen = await log.during(() => call(auth));
    tell('#calls-out', seen, last(seen)?.status === 200 ? '“Hello, World!”' : 'No greeting this time.');
  });
  onPress('#calls', async () => {
    await expire(auth);
    $('#calls-out').replaceChildren(...summary(await log.during(() => callTwentyTimes(auth))));
  });
  onPress('#expire', async () => {
    await expire(auth);
    const seen = await log.during(() => call(auth));
    const all = last(seen)?.status === 200 && seen.some(isRefresh);
    tell('#expire-out', seen, all ? 'You asked once, and got your answer.' : 'See the log.');
  });
}

const isCall = ({ path }) => path === '/hello/';
const isRefresh = ({ path }) => path === '/auth/refresh/';
const last = (entries) => entries.at(-1);

/** Sum up many requests: a row of dots for each thing that became of them. */
function summary(entries) {
  const refreshes = entries.filter(isRefresh);
  const calls = (fits) => entries.filter((entry) => isCall(entry) && fits(entry.status));
  const rows = {
    refusals: calls((status) => status === 401),
    refresh: refreshes,
    answers: calls((status) => status === 200),
    others: calls((status) => status !== 401 && status !== 200),
  };
  const counted = `${rows.answers.length} of 20 answered, after ${rows.refusals.length} refusals and `;
  const renewed = el('b', '', refreshes.length === 1 ? '1 refresh' : `${refreshes.length} refreshes`);
  const shown = Object.entries(rows).filter(([, some]) => some.length);
  return [...shown.map(dots), el('p', '', counted, renewed, '.')];
}

function dots([name, entries]) {
  const all = entries.map(({ status }) => el('i', `dot ${toneOf(status)}`));
  return el('span', 'dots', statusOf(entries[0].status), el('small', '', name), el('span', 'run', ...all));
}

const statusOf = (status) => (status ? chip(status) : chip('no answer', 'bad'));

/** Show one request of a chain. */
export function step({ path, status, ms }) {
  const name = isRefresh({ path }) ? 'refresh' : 'call';
  return el('span', 'step', el('small', '', name), statusOf(status), el('small', '', `${Math.round(ms)} ms`));
}

// #region calls
/** Call the protected view. The client adds the token, and renews it where that is needed. */
export async function call(auth) {
  const answer = await auth.fetch('/hello/').catch((error) => error); // no answer is one too
  return answer.status ?? 0;
}

const callTwentyTimes = (auth) => Promise.all(Array.from({ length: 20 }, () => call(auth)));
// #endregion

// #region expire
/**
 * Put a token that is really over into the client's hands, in this tab and in the others.
 *
 * It is handed over as tabs hand each other new tokens, which is no part of the client's interface.
 * The client takes it for good, so that it is the server that finds out, with a 401.
 */
export async function expire(auth) {
  const answer = await auth.fetch('/playground/expired/', { method: 'POST' }).catch(() => null);
  if (!answer?.ok) return; // then the one at hand is over already, and can't be renewed now
  const { access } = await answer.json();
  const { jti } = decoded(access.split('.')[1]);
  const tabs = new BroadcastChannel(`drf-signet ${location.origin}/auth/`);
  tabs.postMessage({ grant: { access, lifetime: 60_000, sentAt: Date.now() } });
  await taken(auth, jti);
  tabs.close();
}

/** Wait until the client has a certain token, or none. */
async function taken(auth, jti) {
  let end;
  await new Promise((resolve) => {
    end = auth.subscribe(({ claims }) => (!claims || claims.jti === jti) && resolve());
  });
  end();
}
// #endregion
