/** The client in one tab: its state, its requests, its clocks. Run `node --test tests/client`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as module from '../../src/drf_signet/static/drf_signet/auth.js';
import { World, settle } from './world.mjs';

const { AuthError } = module;
const offline = () => new TypeError('Failed to fetch');
const unavailable = () =>
  Response.json({ code: 'service_unavailable', detail: 'x' }, { status: 503, headers: { 'Retry-After': '1' } });
const busy = (headers) => Response.json({ code: 'busy', detail: 'Busy.' }, { status: 503, headers });
const rejection = (reason) =>
  Response.json({ code: 'token_not_valid', reason, detail: 'No.' }, { status: 401 });

test('the module exports two names, and a client is frozen and has nine members', (t) => {
  assert.deepEqual(Object.keys(module).sort(), ['AuthError', 'createAuth']);
  const auth = new World(t).open();
  const names = ['dispose', 'fetch', 'login', 'logout', 'ready', 'sessions', 'state', 'subscribe', 'token'];
  assert.deepEqual(Object.keys(auth).sort(), names);
  assert.ok(Object.isFrozen(auth));
});

test('unknown options are refused with the nearest known option', (t) => {
  const world = new World(t);
  const nearest = {
    baseUrl: 'url',
    baseURL: 'url',
    URL: 'url',
    uri: 'url',
    Mode: 'mode',
    store: 'storage',
    storageKey: 'storage',
    origin: 'origins',
    allowedOrigins: 'origins',
  };
  for (const [name, meant] of Object.entries(nearest)) {
    const message = `createAuth: unknown option "${name}", did you mean "${meant}"? Known: url, mode, storage, origins`;
    assert.throws(() => world.open({ [name]: 'x' }), { name: 'TypeError', message });
    assert.throws(() => world.open({ url: '/auth/', [name]: undefined }), { message });
  }
  for (const name of ['', 'constructor', '__proto__ ', 'x'.repeat(10_000)]) {
    assert.throws(() => world.open({ [name]: 'x' }), /unknown option/);
  }
  assert.deepEqual(world.requests, []);
});

test('an unknown mode is refused', (t) => {
  const world = new World(t);
  for (const mode of ['tokens', 'Token', 'session', '', 1, {}]) {
    assert.throws(() => world.open({ mode }), /^TypeError: createAuth: unknown mode ".*", .*Known: cookie, token$/);
  }
  assert.throws(() => world.open({ mode: 'tokens' }), /did you mean "token"/);
  assert.deepEqual(world.requests, []);
});

test('every known option is accepted, also if it is undefined', async (t) => {
  const options = { url: undefined, mode: undefined, storage: undefined, origins: undefined };
  assert.equal((await new World(t).open(options).ready).status, 'out');
});

test('an anonymous visit refreshes once and is out without a reason', async (t) => {
  const world = new World(t);
  const auth = world.open();
  assert.deepEqual({ ...auth.state }, { status: 'loading', claims: null, expiresAt: null, reason: null });
  assert.equal(await auth.ready, auth.state);
  assert.deepEqual({ ...auth.state }, { status: 'out', claims: null, expiresAt: null, reason: null });
  assert.equal(await auth.token(), null);
  assert.deepEqual(world.requests.map((request) => request.path), ['/auth/refresh/']);
});

test('requests to the cookie endpoints have the headers and options that the server requires', async (t) => {
  const world = new World(t);
  await world.open({ url: '/auth' }).ready;
  const [{ request, body }] = world.requests;
  assert.equal(request.method, 'POST');
  assert.equal(body, '{}');
  assert.equal(request.headers.get('X-Requested-With'), 'drf-signet');
  assert.equal(request.headers.get('Content-Type'), 'application/json');
  assert.equal(request.credentials, 'include');
  assert.equal(request.redirect, 'error');
  assert.equal(request.keepalive, true);
});

test('login resolves to the new state, and claims may contain non-ASCII text', async (t) => {
  const auth = await new World(t).openIn();
  const { status, claims, reason } = auth.state;
  assert.deepEqual([status, claims.name, reason], ['in', 'Zoë', null]);
  assert.ok(Object.isFrozen(auth.state) && Object.isFrozen(claims));
});

test("a rejected login rejects with the server's error, and the state stays the same", async (t) => {
  const world = new World(t);
  const auth = world.open();
  const before = await auth.ready;
  const error = await auth.login({ username: 'vitor', password: '?' }).catch((error) => error);
  assert.ok(error instanceof AuthError);
  const { name, code, status, retryable, detail } = error;
  assert.deepEqual(
    { name, code, status, retryable, detail },
    { name: 'AuthError', code: 'no_active_account', status: 401, retryable: false, detail: 'No.' },
  );
  assert.equal(error.cause.code, 'no_active_account');
  assert.equal(auth.state, before);
});

test('the state is the same object until it changes', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  const { state } = auth;
  await auth.token();
  await auth.fetch('/api/');
  assert.equal(auth.state, state);
  world.pass(300);
  await auth.token();
  assert.notEqual(auth.state, state);
});

test('methods work without their object', async (t) => {
  const { login, token, fetch, subscribe, logout, ready, dispose } = new World(t).open();
  await ready;
  await login({ username: 'vitor', password: '123' });
  assert.ok(await token());
  assert.equal((await fetch('/api/private')).status, 200);
  const seen = [];
  subscribe((state) => seen.push(state.status));
  await logout();
  assert.deepEqual(seen, ['in', 'out']);
  dispose();
});

test('functions and observers receive the state now and at each change, until they unsubscribe', async (t) => {
  const auth = new World(t).open();
  const received = { fn: [], observer: [] };
  const end = auth.subscribe((state) => received.fn.push(state.status));
  const subscription = auth.subscribe({ next: (state) => received.observer.push(state.status) });
  await auth.ready;
  end();
  await auth.login({ password: '123' });
  subscription.unsubscribe();
  await auth.logout();
  assert.deepEqual(received, { fn: ['loading', 'out'], observer: ['loading', 'out', 'in'] });
});

test('an observer that throws does not keep the state from other observers', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  const thrown = [];
  t.mock.method(globalThis, 'queueMicrotask', (fn) => thrown.push(fn));
  auth.subscribe(() => { throw new Error('mine'); });
  const received = [];
  auth.subscribe((state) => received.push(state.status));
  assert.deepEqual(received, ['in']);
  assert.throws(thrown[0], /mine/);
});

test('fetch adds the access token', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  const answer = await auth.fetch('/api/private', { method: 'POST', body: 'hello' });
  assert.deepEqual(await answer.json(), { text: 'hello' });
  assert.equal(world.requests[0].bearer, `Bearer ${await auth.token()}`);
});

test('twenty calls with an expired token cause one refresh', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  const answers = await Promise.all(Array.from({ length: 20 }, () => auth.fetch('/api/private')));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
  assert.equal(world.count('/auth/refresh/'), 1);
  assert.equal(world.count('/api/private'), 20);
});

test('twenty calls whose token is rejected cause one refresh, and each is sent again once', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.good.clear();
  const answers = await Promise.all(Array.from({ length: 20 }, () => auth.fetch('/api/private')));
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
  assert.equal(world.count('/auth/refresh/'), 1);
  assert.equal(world.count('/api/private'), 40);
});

test('a request is sent at most twice', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  t.mock.method(world, 'api', () => new Response('{}', { status: 401 }));
  assert.equal((await auth.fetch('/api/private')).status, 401);
  assert.equal(world.count('/api/private'), 2);
});

for (const [kind, make, expected] of [
  ['string', () => 'hello', /^hello$/],
  ['FormData', () => { const form = new FormData(); form.set('file', new Blob(['hello']), 'a.txt'); return form; }, /filename="a.txt"[^]*hello/],
  ['Blob', () => new Blob(['hello']), /^hello$/],
  ['ReadableStream', () => new Blob(['hello']).stream(), /^hello$/],
  ['URLSearchParams', () => new URLSearchParams({ a: 'b' }), /^a=b$/],
]) {
  test(`a body of type ${kind} is sent again after a 401`, async (t) => {
    const world = new World(t);
    const auth = await world.openIn();
    world.good.clear();
    const answer = await auth.fetch('/api/private', { method: 'POST', body: make(), duplex: 'half' });
    assert.match((await answer.json()).text, expected);
    assert.equal(world.count('/api/private'), 2);
  });
}

test('fetch accepts a Request instead of an address', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.good.clear();
  const request = new Request('https://app.example/api/private', { method: 'POST', body: 'hello' });
  assert.deepEqual(await (await auth.fetch(request)).json(), { text: 'hello' });
});

test('only the origin of the endpoints and the listed origins get the token', async (t) => {
  const world = new World(t);
  const auth = await world.openIn({ origins: ['https://api.example/v1/'] });
  const addresses = {
    'https://app.example/x': true,
    'https://api.example/x': true,
    'https://api.example:8443/x': false,
    'http://app.example/x': false,
    'https://app.example.evil.example/x': false,
    'https://evil.example/https://app.example/x': false,
    '//evil.example/x': false,
  };
  for (const [address, given] of Object.entries(addresses)) {
    await auth.fetch(new URL(address, 'https://app.example').href);
    assert.equal(world.requests.at(-1).bearer !== null, given, address);
  }
});

test('an Authorization header of the caller is kept', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  await auth.fetch('/api/', { headers: { Authorization: 'Basic eA==' } });
  assert.equal(world.requests.at(-1).bearer, 'Basic eA==');
});

test('a token is refreshed when a tenth of its lifetime is left, at most 30 seconds', async (t) => {
  for (const [lifetime, lead] of [[3, 0.3], [60, 6], [300, 30], [86_400, 30]]) {
    await t.test(`${lifetime} s`, async (t) => {
      const world = new World(t);
      world.lifetime = lifetime;
      const auth = await world.openIn();
      const first = await auth.token();
      world.pass(lifetime - lead - 0.1);
      assert.equal(await auth.token(), first);
      world.pass(0.2);
      assert.notEqual(await auth.token(), first);
      assert.equal(world.count('/auth/refresh/'), 1);
    });
  }
});

test('a lifetime of zero does not cause a loop', async (t) => {
  const world = new World(t);
  world.lifetime = 0;
  const auth = await world.openIn();
  assert.ok(await auth.token());
  assert.equal(world.count('/auth/refresh/'), 1);
});

test("a token's age counts from its request, also when the response is slow", async (t) => {
  const world = new World(t);
  await world.openIn();
  world.gate = { then: (resolve) => { world.pass(200); resolve(); } };
  const late = world.open();
  await late.ready;
  await settle();
  assert.equal(late.state.expiresAt, world.wall - 200_000 + 300_000);
  world.gate = null;
  world.pass(101);
  world.requests.length = 0;
  await late.token();
  assert.equal(world.count('/auth/refresh/'), 1);
});

test('a token expires during a sleep that stops the monotonic clock', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.wall += 7_200_000;
  await auth.token();
  assert.equal(world.count('/auth/refresh/'), 1);
});

for (const hours of [1, -1]) {
  test(`a clock that is set by ${hours} h causes at most one refresh`, async (t) => {
    const world = new World(t);
    const auth = await world.openIn();
    world.wall += hours * 3_600_000;
    for (let i = 0; i < 5; i += 1) await auth.token();
    assert.equal(world.count('/auth/refresh/'), hours > 0 ? 1 : 0);
    world.requests.length = 0;
    world.pass(300);
    await auth.token();
    assert.equal(world.count('/auth/refresh/'), 1, 'the token expires as before');
  });
}

test('without a network, token() returns a valid token until it expires, then a retryable error', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.faults = [offline()];
  world.pass(280);
  assert.ok(await auth.token(), 'a failed early refresh must not lose a valid token');
  world.pass(20);
  world.faults = [offline()];
  await assert.rejects(auth.token(), { code: 'network', status: 0, retryable: true });
  await assert.rejects(auth.fetch('/api/'), { code: 'network', retryable: true });
  assert.equal(auth.state.status, 'in');
});

for (const [response, fault, code] of [
  ['503', busy, 'busy'],
  ['503 without the database', unavailable, 'service_unavailable'],
  ['429', () => Response.json({ code: 'throttled' }, { status: 429 }), 'throttled'],
  ['an HTML error page of a proxy', () => new Response('<h1>502</h1>', { status: 502 }), 'network'],
  ['the login page of a captive portal', () => new Response('<h1>Welcome</h1>'), 'network'],
  ['a malformed access token', () => Response.json({ access: 'x', expires_in: 1 }), 'network'],
]) {
  test(`${response} keeps the session, and the next refresh waits`, async (t) => {
    const world = new World(t);
    const auth = await world.openIn();
    world.pass(300);
    world.faults = [fault(), fault()];
    for (const pause of [1, 2]) {
      await assert.rejects(auth.token(), { code, retryable: true });
      await assert.rejects(auth.token(), { code, retryable: true });
      assert.equal(auth.state.status, 'in');
      world.pass(pause);
    }
    assert.ok(await auth.token());
    assert.equal(world.count('/auth/refresh/'), 3);
  });
}

test('the pause after a failure is random between half and all of its length', async (t) => {
  for (const [random, pause] of [[0, 0.5], [0.5, 0.75], [1, 1]]) {
    await t.test(`${pause} s`, async (t) => {
      const world = new World(t);
      const auth = await world.openIn();
      t.mock.method(Math, 'random', () => random);
      world.pass(300);
      world.faults = [busy()];
      await assert.rejects(auth.token());
      world.pass(pause - 0.01);
      await assert.rejects(auth.token());
      assert.equal(world.count('/auth/refresh/'), 1);
      world.pass(0.02);
      assert.ok(await auth.token());
    });
  }
});

test('the next refresh waits for Retry-After', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  world.faults = [busy({ 'Retry-After': '7' })];
  await assert.rejects(auth.token());
  world.pass(6.9);
  await assert.rejects(auth.token());
  world.pass(0.2);
  assert.ok(await auth.token());
});

test('a 401 that does not come from drf-signet logs nobody out', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  world.faults = [new Response('<h1>proxy</h1>', { status: 401 })];
  await assert.rejects(auth.token(), { code: 'network', status: 401, retryable: false });
  assert.equal(auth.state.status, 'in');
});

for (const reason of ['expired', 'ended', 'reused']) {
  test(`a refresh rejected as ${reason} logs out, and the state has the reason`, async (t) => {
    const world = new World(t);
    const auth = await world.openIn();
    world.good.clear();
    world.faults = [rejection(reason)];
    assert.equal((await auth.fetch('/api/private')).status, 401);
    assert.deepEqual([auth.state.status, auth.state.reason], ['out', reason]);
    assert.equal(await auth.token(), null);
    assert.equal(world.count('/auth/refresh/'), 1);
  });
}

test('an error without a reason uses its code as the reason', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  world.faults = [Response.json({ code: 'user_inactive' }, { status: 401 })];
  assert.equal(await auth.token(), null);
  assert.equal(auth.state.reason, 'user_inactive');
});

test('a deleted cookie ends the session', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  world.sid = null;
  assert.equal(await auth.token(), null);
  assert.equal(auth.state.reason, 'ended');
});

test('a page that starts without a network keeps loading, and tries again', async (t) => {
  const world = new World(t);
  const timers = [];
  t.mock.method(globalThis, 'setTimeout', (fn, time) => timers.push({ fn, time }));
  world.faults = [offline(), offline()];
  const auth = world.open();
  await settle();
  assert.deepEqual([auth.state.status, auth.state.reason], ['loading', 'network']);
  for (const pause of [1_000, 2_000]) {
    const { fn, time } = timers.at(-1);
    assert.equal(time, pause);
    world.pass((time - 50) / 1_000); // some browsers round their clocks, but not their timers
    fn();
    await settle();
  }
  assert.equal(auth.state.status, 'out');
  await auth.ready;
});

test('a page that starts without the database keeps loading, and logs nobody out', async (t) => {
  const world = new World(t);
  await (await world.openIn()).dispose();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  world.faults = [unavailable(), unavailable()];
  const auth = world.open();
  await settle();
  assert.deepEqual([auth.state.status, auth.state.reason], ['loading', 'service_unavailable']);
  for (const pause of [1, 2]) {
    world.pass(pause);
    t.mock.timers.tick(pause * 1_000);
    await settle();
  }
  assert.equal(auth.state.status, 'in');
  assert.equal(world.count('/auth/refresh/'), 3);
});

test('logout and login reject without the database, and the session continues', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  const before = auth.state;
  world.faults = [unavailable(), unavailable(), unavailable()];
  const error = { code: 'service_unavailable', status: 503, retryable: true };
  await assert.rejects(auth.logout(), error);
  await assert.rejects(auth.logout({ everywhere: true }), error);
  await assert.rejects(auth.login({ username: 'vitor', password: '123' }), error);
  assert.equal(auth.state, before);
});

test('the client refreshes as soon as the network is back', async (t) => {
  const world = new World(t);
  world.faults = [offline()];
  const auth = world.open();
  await settle();
  world.emit('online');
  await settle();
  assert.equal(auth.state.status, 'out');
  await auth.login({ password: '123' });
  world.pass(300);
  world.faults = [offline()];
  await assert.rejects(auth.token());
  world.emit('online');
  assert.ok(await auth.token());
});

test('a configuration error ends the loading, and the state names it', async (t) => {
  const world = new World(t);
  world.faults = [Response.json({ code: 'csrf_failed', detail: 'No.' }, { status: 403 })];
  const auth = world.open();
  await auth.ready;
  assert.deepEqual([auth.state.status, auth.state.reason], ['out', 'csrf_failed']);
});

test('an abort only ends the call of its caller', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  let open;
  world.gate = new Promise((resolve) => (open = resolve));
  const mine = new AbortController();
  const fetched = new AbortController();
  const results = Promise.allSettled([
    auth.token({ signal: mine.signal }),
    auth.fetch('/api/private', { signal: fetched.signal }),
    auth.token(),
    auth.fetch('/api/private'),
  ]);
  await settle();
  mine.abort();
  fetched.abort();
  open();
  const [token, call, otherToken, otherCall] = await results;
  assert.deepEqual([token.reason.code, token.reason.name, token.reason.retryable], ['aborted', 'AbortError', false]);
  assert.equal(call.reason, fetched.signal.reason, 'an aborted call must reject like fetch');
  assert.ok(otherToken.value);
  assert.equal(otherCall.value.status, 200);
  assert.equal(world.count('/auth/refresh/'), 1);
});

test('a signal that is already aborted rejects, even with a valid token', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  await assert.rejects(auth.token({ signal: AbortSignal.abort() }), { code: 'aborted' });
  await assert.rejects(auth.fetch('/api/', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a request is aborted after ten seconds', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.pass(300);
  const timers = [];
  t.mock.method(globalThis, 'setTimeout', (fn, time) => timers.push({ fn, time }));
  t.mock.method(globalThis, 'fetch', (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))));
  const token = auth.token();
  await settle();
  assert.deepEqual(timers.map((timer) => timer.time), [10_000]);
  timers[0].fn();
  await assert.rejects(token, { code: 'network', retryable: true });
});

test('logout ends the session, with the reason logout', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  assert.equal(await auth.logout(), undefined);
  assert.deepEqual([auth.state.status, auth.state.reason], ['out', 'logout']);
  assert.deepEqual(world.requests.map((request) => request.path), ['/auth/logout/']);
});

test('a logout that the server does not confirm rejects, and the session continues', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.faults = [offline()];
  await assert.rejects(auth.logout(), { code: 'network', retryable: true });
  assert.equal(auth.state.status, 'in');
});

test('logout everywhere sends an access token, and refreshes it if it is rejected', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.faults = [rejection('expired')];
  await auth.logout({ everywhere: true });
  assert.deepEqual(world.requests.map((request) => request.path), ['/auth/logout/all/', '/auth/refresh/', '/auth/logout/all/']);
  assert.ok(world.requests.at(-1).bearer.startsWith('Bearer '));
  assert.deepEqual([auth.state.status, auth.state.reason], ['out', 'logout']);
  await auth.logout({ everywhere: true });
});

test('logout everywhere rejects if the server fails', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.faults = [busy()];
  await assert.rejects(auth.logout({ everywhere: true }), { code: 'busy' });
  assert.equal(auth.state.status, 'in');
});

test('a page restored from the history refreshes again', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  world.emit('pageshow', { persisted: false });
  world.sid = null;
  world.emit('pageshow', { persisted: true });
  await settle();
  assert.equal(auth.state.status, 'out');
  assert.equal(world.count('/auth/refresh/'), 1);
});

test('a page restored from the history notices a login that happened meanwhile', async (t) => {
  const world = new World(t);
  const auth = world.open();
  const state = await auth.ready;
  world.emit('pageshow', { persisted: true });
  await settle();
  assert.equal(auth.state, state, 'the state must not change');
  world.sid = 'session of another page';
  world.emit('pageshow', { persisted: true });
  await settle();
  assert.equal(auth.state.claims.sid, 'session of another page');
});

test('nothing happens after dispose', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  const received = [];
  auth.subscribe((state) => received.push(state));
  world.pass(300);
  const late = auth.token();
  auth.dispose();
  await late;
  world.emit('pageshow', { persisted: true });
  await settle();
  assert.equal(received.length, 1);
  assert.equal(world.count('/auth/refresh/'), 1);
  for (const call of [auth.token, auth.login, auth.logout, () => auth.fetch('/api/')]) {
    await assert.rejects(call(), { code: 'aborted' });
  }
});

test('no request is sent during server-side rendering', async (t) => {
  const world = new World(t);
  world.define('location', undefined);
  const auth = world.open();
  await settle();
  assert.equal(auth.state.status, 'loading');
  assert.equal(world.requests.length, 0);
});
