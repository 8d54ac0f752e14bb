/** Token mode: the application chooses the storage for the refresh token. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { World, settle } from './world.mjs';

const MODE = { mode: 'token', url: 'https://api.example/api/token/' };

/** A storage like React Native's, whose methods return promises. */
class AsyncStorage {
  stored = new Map();
  getItem = async (name) => this.stored.get(name) ?? null;
  setItem = async (name, value) => void this.stored.set(name, value);
  removeItem = async (name) => void this.stored.delete(name);
}

test('without a refresh token no request is sent', async (t) => {
  const world = new World(t);
  const auth = world.open(MODE);
  await auth.ready;
  assert.deepEqual([auth.state.status, auth.state.reason, world.requests.length], ['out', null, 0]);
});

test('login stores the refresh token, and nothing else', async (t) => {
  const world = new World(t);
  const storage = new AsyncStorage();
  const auth = await world.openIn({ ...MODE, storage });
  assert.deepEqual([...storage.stored], [['refresh', 'refresh 1']]);
  assert.equal(auth.state.expiresAt, world.wall + 300_000, 'the lifetime must be exp − iat');
});

test('requests have no cookies and no X-Requested-With header', async (t) => {
  const world = new World(t);
  const auth = await world.openIn(MODE);
  await auth.login({ username: 'vitor', password: '123' });
  const [{ request, path }] = world.requests;
  assert.equal(path, '/api/token/');
  assert.equal(request.credentials, 'omit');
  assert.equal(request.headers.get('X-Requested-With'), null);
});

test('a refresh sends the stored token, and stores the new token', async (t) => {
  const world = new World(t);
  const storage = new AsyncStorage();
  const auth = await world.openIn({ ...MODE, storage });
  world.pass(300);
  assert.ok(await auth.token());
  assert.equal(world.requests[0].body, '{"refresh":"refresh 1"}');
  assert.equal(storage.stored.get('refresh'), 'refresh 2');
});

test('the stored token stays while the database is down, and is sent again later', async (t) => {
  const world = new World(t);
  const storage = new AsyncStorage();
  const auth = await world.openIn({ ...MODE, storage });
  world.pass(300);
  world.faults = [Response.json({ code: 'service_unavailable' }, { status: 503, headers: { 'Retry-After': '2' } })];
  await assert.rejects(auth.token(), { code: 'service_unavailable', retryable: true });
  assert.equal(storage.stored.get('refresh'), 'refresh 1');
  world.pass(2);
  assert.ok(await auth.token());
  assert.deepEqual(world.requests.map(({ body }) => body), Array(2).fill('{"refresh":"refresh 1"}'));
});

test('without rotation the stored token stays', async (t) => {
  const world = new World(t);
  const storage = new AsyncStorage();
  const auth = await world.openIn({ ...MODE, storage });
  world.pass(300);
  world.faults = [Response.json({ access: world.mint() })];
  assert.ok(await auth.token());
  assert.equal(storage.stored.get('refresh'), 'refresh 1');
});

test('an application is still logged in after a restart', async (t) => {
  const world = new World(t);
  const storage = new AsyncStorage();
  (await world.openIn({ ...MODE, storage })).dispose();
  const auth = world.open({ ...MODE, storage });
  await auth.ready;
  assert.equal(auth.state.status, 'in');
  assert.equal((await auth.fetch('https://api.example/private')).status, 200);
});

test('logout deletes the stored token', async (t) => {
  const world = new World(t);
  for (const everywhere of [false, true]) {
    const storage = new AsyncStorage();
    const auth = await world.openIn({ ...MODE, storage });
    world.faults = everywhere ? [new Response(null, { status: 204 })] : [];
    await auth.logout({ everywhere });
    assert.deepEqual([storage.stored.size, auth.state.status], [0, 'out']);
  }
});

test('logout succeeds if nobody is logged in', async (t) => {
  const auth = new World(t).open(MODE);
  await auth.ready;
  await auth.logout();
  assert.equal(auth.state.status, 'out');
});

test('a rejection deletes the rejected token, and no other token', async (t) => {
  const world = new World(t);
  const storage = new AsyncStorage();
  const auth = await world.openIn({ ...MODE, storage });
  world.current = 'another';
  world.pass(300);
  let open;
  world.gate = new Promise((resolve) => (open = resolve));
  const token = auth.token();
  await settle();
  storage.stored.set('refresh', 'token of another tab');
  open();
  await token;
  assert.deepEqual([auth.state.status, storage.stored.get('refresh')], ['in', 'token of another tab']);
  world.good.clear();
  assert.equal(await auth.token(), null);
  assert.deepEqual([auth.state.reason, storage.stored.size], ['reused', 0]);
});

test('tabs share a session in localStorage, and not a session in another storage', async (t) => {
  const world = new World(t);
  const shared = new AsyncStorage();
  world.define('localStorage', shared);
  const first = await world.openIn({ ...MODE, storage: shared });
  const second = await world.openIn({ ...MODE, storage: shared });
  const apart = await world.openIn({ ...MODE, storage: new AsyncStorage() });
  const named = await world.openIn({ ...MODE, storage: Object.assign(shared, { shared: true }) });
  await first.logout();
  await settle();
  assert.deepEqual(
    [second, apart, named].map((auth) => auth.state.status),
    ['out', 'in', 'out'],
  );
});

test('a page that may not read localStorage can use another storage', async (t) => {
  const world = new World(t);
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    get() { throw new DOMException('no', 'SecurityError'); },
  });
  t.after(() => delete globalThis.localStorage);
  assert.equal((await world.openIn({ ...MODE, storage: new AsyncStorage() })).state.status, 'in');
});
