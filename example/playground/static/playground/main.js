/** Start the page: one client, a log of every request, and the cards. */

import { AuthError, createAuth } from '../drf_signet/auth.js';
import { showCalls } from './calls.js';
import { showDevices } from './devices.js';
import { $, busy, onPress } from './dom.js';
import { showKeeping } from './keeping.js';
import { createLog } from './log.js';
import { showSources } from './source.js';
import { countTabs, noteNews } from './tabs.js';
import { aftermath, showTheft } from './theft.js';
import { showToken } from './token.js';
import { showTour } from './tour.js';
import { showWeather } from './weather.js';
import { createWire } from './wire.js';

const root = document.documentElement;
const log = createLog($('#events'));
const wire = createWire(log.request);
globalThis.fetch = wire.fetch; // must come before the client's first request

// #region login
const auth = createAuth(); // checks at once whether a user is logged in

async function logIn(form) {
  const { username, password, remember } = form.elements;
  const credentials = { username: username.value, password: password.value };
  try {
    await auth.login({ ...credentials, remember: remember.checked });
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    return error.detail; // “No active account found …”, “no answer”, …
  }
  return '';
}
// #endregion

const REASONS = {
  logout: 'You are logged out.',
  expired: 'Your session has expired.',
  ended: 'Your session was ended.',
  reused: 'Your session was ended for security reasons.',
  user_inactive: 'This account is inactive.',
};

auth.subscribe((state) => {
  const before = root.dataset.status;
  root.dataset.status = state.status;
  if (state.status === 'in') greet(state);
  if (before !== state.status) log.note(noteOf(state));
  if (state.status === 'out') showReason(state.reason);
  if (before !== state.status && before !== 'loading') keepFocus();
});

/** Show who is logged in. The token contains only the user's key, so the page asks for the name. */
async function greet({ claims }) {
  $('#why').replaceChildren();
  if ($('#who').dataset.sid === claims.sid) return;
  $('#who').dataset.sid = claims.sid;
  $('#who').textContent = `user ${claims.user_id}`;
  const answer = await auth.fetch('/playground/user/').catch(() => null);
  if (answer?.ok) $('#who').textContent = (await answer.json()).username;
}

function noteOf({ status, reason }) {
  if (status === 'in') return 'logged in';
  if (status === 'out') return reason ? `logged out: ${reason}` : 'nobody is logged in';
  return reason ? `login state unknown: ${reason}` : 'checking whether a user is logged in';
}

/** Show why the user is logged out. Only the server knows whether there was a theft. */
async function showReason(reason) {
  $('#why').textContent = reason ? (REASONS[reason] ?? `You are logged out: ${reason}.`) : '';
  if (reason !== 'ended' && reason !== 'reused') return;
  const messages = await aftermath();
  if (messages && auth.state.status === 'out') $('#why').append(...messages);
}

/** If the focused element has disappeared, move the focus to the start of the visible part. */
function keepFocus() {
  const lost = document.activeElement === document.body || !document.activeElement.checkVisibility();
  if (lost) $(auth.state.status === 'in' ? '#in-title' : '#username').focus();
}

$('#login').addEventListener('submit', (event) => {
  event.preventDefault();
  $('#login-error').textContent = '';
  busy($('#login .primary'), async () => {
    $('#login-error').textContent = await logIn(event.target);
  });
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
showTour();
onPress('#log-size', () => {
  const larger = $('#log-size').ariaExpanded !== 'true';
  $('#log-size').ariaExpanded = String(larger);
  $('#log-size').textContent = larger ? 'Show less' : 'Show more';
});
