/**
 * All that leaves the page passes here: it is written down, and disturbed where somebody says so.
 *
 * The client calls the platform's `fetch`, so that its own refreshes and second tries are seen too.
 */

/** Return a `fetch` that tells `record` of each request, in a weather that can be set. */
export function createWire(record) {
  const platform = globalThis.fetch.bind(globalThis);
  const wire = { weather: 'fair', platform, fetch: send };

  // #region weather
  async function send(input, init) {
    const request = new Request(input, init);
    const { pathname: path } = new URL(request.url);
    const { method } = request;
    const started = performance.now();
    const done = (status, by) => record({ method, path, status, by, ms: performance.now() - started });
    try {
      const answer = await through(request, path.startsWith('/playground/') ? 'fair' : wire.weather);
      done(answer.status);
      return answer;
    } catch (error) {
      done(0);
      throw error;
    }
  }

  function through(request, weather) {
    if (weather === 'offline') throw new TypeError('Failed to fetch'); // as browsers do
    if (weather !== 'fair') request.headers.set('X-Weather', weather); // the server is slow, or down
    return platform(request);
  }
  // #endregion

  return wire;
}
