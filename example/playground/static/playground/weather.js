/** The weather switch: offline, a slow server, a failing server. */

import { call, expire, step } from './calls.js';
import { $, el, onPress } from './dom.js';

export function showWeather(auth, log, wire) {
  for (const radio of document.querySelectorAll('[name=weather]')) {
    radio.addEventListener('change', () => {
      const before = wire.weather;
      wire.weather = radio.value;
      // Browsers send these events when the network comes or goes.
      if (radio.value === 'offline') dispatchEvent(new Event('offline'));
      else if (before === 'offline') dispatchEvent(new Event('online'));
      log.note(`the weather is ${radio.value} now`);
      $('#weather-now').textContent = radio.value === 'fair' ? '' : radio.value;
    });
  }
  onPress('#weather-call', async () => {
    await expire(auth);
    const seen = await log.during(() => call(auth));
    const waiting = seen.length ? '' : 'The client waits before it tries again. ';
    const message = `${waiting}You are ${auth.state.status === 'in' ? 'still logged in' : 'logged out'}.`;
    $('#weather-out').replaceChildren(el('span', 'line', ...seen.map(step)), el('p', '', message));
  });
}
