/** Show the access token: its three parts, their content, and its remaining lifetime. */

import { $, clock, el } from './dom.js';

const PARTS = ['header', 'payload', 'signature'];

export function showToken(auth) {
  auth.subscribe(async (state) => {
    countDown(state);
    if (state.status !== 'in') return $('#token-text').replaceChildren();
    const token = await auth.token().catch(() => null);
    if (token && auth.state.status === 'in') show(token);
  });
  setInterval(() => countDown(auth.state), 250);
}

// #region token
function show(token) {
  const parts = token.split('.');
  const coloured = parts.map((part, place) => el('span', PARTS[place], part));
  $('#token-text').replaceChildren(coloured[0], '.', coloured[1], '.', coloured[2]);
  $('#token-header').textContent = JSON.stringify(decoded(parts[0]), null, 2);
  $('#token-payload').textContent = JSON.stringify(decoded(parts[1]), null, 2);
  $('#token-says').textContent = summary(decoded(parts[1]));
  $('#token-signature').textContent = `${parts[2].length} characters that only the server can compute`;
}

export function decoded(part) {
  const binary = atob(part.replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0))));
}

const summary = ({ user_id: user, iat, exp }) => `User ${user}, valid from ${time(iat)} to ${time(exp)}`;
const time = (seconds) => new Date(seconds * 1_000).toLocaleTimeString('en-GB');

function countDown({ claims, expiresAt }) {
  if (!claims) return;
  const lifetime = claims.exp - claims.iat;
  const expired = claims.exp * 1_000 < Date.now(); // the demo's expired token has an `expiresAt` in the future
  const left = expired ? 0 : (expiresAt - Date.now()) / 1_000;
  $('#token-left').textContent = left > 0 ? clock(left) : 'expired';
  $('#pill-left').textContent = $('#token-left').textContent;
  $('#pill-valid').hidden = left <= 0;
  $('.pill').toggleAttribute('data-expired', left <= 0);
  $('#token-bar').value = Math.max(0, left / lifetime);
}
// #endregion
