/** The switch for the network and the server: offline, a slow server, a failing server. */

import { call, expire, line, watch } from './calls.js';
import { $, el, onPress } from './dom.js';

export function showWeather(auth, log, wire) {
  for (const radio of document.querySelectorAll('[name=weather]')) {
    radio.addEventListener('change', () => {
      const before = wire.weather;
      wire.weather = radio.value;
      // Browsers send these events when the network comes or goes.
      if (radio.value === 'offline') dispatchEvent(new Event('offline'));
      else if (before === 'offline') dispatchEvent(new Event('online'));
      log.note(`network and server: ${radio.value}`);
      $('#weather-now').textContent = radio.value === 'normal' ? '' : radio.value;
    });
  }
  const result = (seen) => {
    const waiting = seen.length ? '' : 'The client waits before it tries again. ';
    const message = `${waiting}You are ${auth.state.status === 'in' ? 'still logged in' : 'logged out'}.`;
    return [line(seen), el('p', '', message)];
  };
  onPress('#weather-call', () =>
    watch(log, $('#weather-out'), () => call(auth), { before: () => expire(auth), result }));
}
