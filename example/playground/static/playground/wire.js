/**
 * A replacement for `fetch` that records every request, and simulates bad weather.
 *
 * The client calls the global `fetch`, so its own refreshes and repeated calls are recorded too.
 */

/** Return a `fetch` that passes each request to `record`, and a `weather` that can be set. */
export function createWire(record) {
  const platform = globalThis.fetch.bind(globalThis);
  const wire = { weather: 'normal', platform, fetch: send };

  // #region weather
  async function send(input, init) {
    const request = new Request(input, init);
    const { pathname: path } = new URL(request.url);
    const { method } = request;
    const started = performance.now();
    const done = (status, by) => record({ method, path, status, by, ms: performance.now() - started });
    try {
      const answer = await through(request, path.startsWith('/playground/') ? 'normal' : wire.weather);
      done(answer.status);
      return answer;
    } catch (error) {
      done(0);
      throw error;
    }
  }

  function through(request, weather) {
    if (weather === 'offline') throw new TypeError('Failed to fetch'); // the error that browsers throw
    if (weather !== 'normal') request.headers.set('X-Weather', weather); // makes the server slow or failing
    return platform(request);
  }
  // #endregion

  return wire;
}
