/** The page: one client, a log of all that leaves the page, and a card for each thing to try. */

import { AuthError, createAuth } from '../drf_signet/auth.js';
import { showCalls } from './calls.js';
import { showDevices } from './devices.js';
import { $, clock, onPress } from './dom.js';
import { showKeeping } from './keeping.js';
import { createLog } from './log.js';
import { showSources } from './source.js';
import { countTabs, noteNews } from './tabs.js';
import { aftermath, showTheft } from './theft.js';
import { showToken } from './token.js';
import { showWeather } from './weather.js';
import { createWire } from './wire.js';

const root = document.documentElement;
const log = createLog($('#events'));
const wire = createWire(log.request);
globalThis.fetch = wire.fetch; // before the client sends anything

// #region login
const auth = createAuth(); // asks at once whether somebody is logged in

async function logIn(form) {
  const credentials = Object.fromEntries(new FormData(form));
  try {
    await auth.login(credentials);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    return error.detail; // “No active account found …”, “no answer”, …
  }
  return '';
}
// #endregion

const REASONS = {
  logout: 'You are logged out.',
  expired: 'Your session is over: nobody used it for too long.',
  ended: 'Your session was ended.',
  reused: 'Your session was ended for safety.',
  user_inactive: 'This account is switched off.',
};

auth.subscribe((state) => {
  const before = root.dataset.status;
  root.dataset.status = state.status;
  if (state.status === 'in') greet(state);
  if (before !== state.status) log.note(noteOf(state));
  if (state.status === 'out') sayWhy(state.reason);
  if (before !== state.status && before !== 'loading') keepFocus();
});

function greet({ claims }) {
  $('#who').textContent = `user ${claims.user_id}`;
  $('#why').replaceChildren();
}

function noteOf({ status, reason }) {
  if (status === 'in') return 'logged in';
  if (status === 'out') return reason ? `logged out: ${reason}` : 'nobody is logged in';
  return reason ? `not known yet: ${reason}` : 'asking who is logged in';
}

/** Say why somebody is out. Whether it was a theft, the server knows. */
async function sayWhy(reason) {
  $('#why').textContent = reason ? (REASONS[reason] ?? `You are out: ${reason}.`) : '';
  if (reason !== 'ended' && reason !== 'reused') return;
  const story = await aftermath();
  if (story && auth.state.status === 'out') $('#why').append(...story);
}

/** Whoever was on what has just disappeared goes on at the start of what there is now. */
function keepFocus() {
  const lost = document.activeElement === document.body || !document.activeElement.checkVisibility();
  if (lost) $(auth.state.status === 'in' ? '#in-title' : '#username').focus();
}

$('#login').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('#login-error').textContent = '';
  $('#login-error').textContent = await logIn(event.target);
});
onPress('#logout', () => auth.logout().catch(({ detail }) => log.note(`not logged out: ${detail}`)));
onPress('#log-clear', () => log.clear());

showToken(auth);
showKeeping(auth);
showCalls(auth, log);
countTabs();
noteNews(auth, log);
showDevices(auth, log);
showTheft(auth, Number(root.dataset.grace));
showWeather(auth, log, wire);
showSources(wire.platform);
setInterval(() => {
  const { expiresAt } = auth.state;
  $('#pill-left').textContent = expiresAt ? clock((expiresAt - Date.now()) / 1_000) : '';
}, 250);
