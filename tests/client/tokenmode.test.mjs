/** Token mode: the refresh token in a storage of the application's choice. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { World, settle } from './world.mjs';

const MODE = { mode: 'token', url: 'https://api.example/api/token/' };

/** A storage like React Native's: its methods return promises. */
class Slow {
  kept = new Map();
  getItem = async (name) => this.kept.get(name) ?? null;
  setItem = async (name, value) => void this.kept.set(name, value);
  removeItem = async (name) => void this.kept.delete(name);
}

test('without a token nobody is asked', async (t) => {
  const world = new World(t);
  const auth = world.open(MODE);
  await auth.ready;
  assert.deepEqual([auth.state.status, auth.state.reason, world.requests.length], ['out', null, 0]);
});

test('login keeps the refresh token, and nothing else', async (t) => {
  const world = new World(t);
  const storage = new Slow();
  const auth = await world.openIn({ ...MODE, storage });
  assert.deepEqual([...storage.kept], [['refresh', 'refresh 1']]);
  assert.equal(auth.state.expiresAt, world.wall + 300_000, 'from the claims: exp − iat');
});

test('requests carry no cookies and no header of the browser endpoints', async (t) => {
  const world = new World(t);
  const auth = await world.openIn(MODE);
  await auth.login({ username: 'vitor', password: '123' });
  const [{ request, path }] = world.requests;
  assert.equal(path, '/api/token/');
  assert.equal(request.credentials, 'omit');
  assert.equal(request.headers.get('X-Requested-With'), null);
});

test('a refresh sends the stored token, and stores its successor', async (t) => {
  const world = new World(t);
  const storage = new Slow();
  const auth = await world.openIn({ ...MODE, storage });
  world.pass(300);
  assert.ok(await auth.token());
  assert.equal(world.requests[0].body, '{"refresh":"refresh 1"}');
  assert.equal(storage.kept.get('refresh'), 'refresh 2');
});

test('without rotation the token stays', async (t) => {
  const world = new World(t);
  const storage = new Slow();
  const auth = await world.openIn({ ...MODE, storage });
  world.pass(300);
  world.faults = [Response.json({ access: world.mint() })];
  assert.ok(await auth.token());
  assert.equal(storage.kept.get('refresh'), 'refresh 1');
});

test('an application that starts anew is logged in', async (t) => {
  const world = new World(t);
  const storage = new Slow();
  (await world.openIn({ ...MODE, storage })).dispose();
  const auth = world.open({ ...MODE, storage });
  await auth.ready;
  assert.equal(auth.state.status, 'in');
  assert.equal((await auth.fetch('https://api.example/private')).status, 200);
});

test('logging out forgets the token', async (t) => {
  const world = new World(t);
  for (const everywhere of [false, true]) {
    const storage = new Slow();
    const auth = await world.openIn({ ...MODE, storage });
    world.faults = everywhere ? [new Response(null, { status: 204 })] : [];
    await auth.logout({ everywhere });
    assert.deepEqual([storage.kept.size, auth.state.status], [0, 'out']);
  }
});

test('a logout of nobody is one', async (t) => {
  const auth = new World(t).open(MODE);
  await auth.ready;
  await auth.logout();
  assert.equal(auth.state.status, 'out');
});

test('a refusal forgets the token that was refused, and no other', async (t) => {
  const world = new World(t);
  const storage = new Slow();
  const auth = await world.openIn({ ...MODE, storage });
  world.current = 'another';
  world.pass(300);
  let open;
  world.gate = new Promise((resolve) => (open = resolve));
  const token = auth.token();
  await settle();
  storage.kept.set('refresh', 'of another tab');
  open();
  await token;
  assert.deepEqual([auth.state.status, storage.kept.get('refresh')], ['in', 'of another tab']);
  world.good.clear();
  assert.equal(await auth.token(), null);
  assert.deepEqual([auth.state.reason, storage.kept.size], ['reused', 0]);
});

test('tabs share what localStorage has, and keep apart what is theirs', async (t) => {
  const world = new World(t);
  const shared = new Slow();
  world.define('localStorage', shared);
  const first = await world.openIn({ ...MODE, storage: shared });
  const second = await world.openIn({ ...MODE, storage: shared });
  const apart = await world.openIn({ ...MODE, storage: new Slow() });
  const named = await world.openIn({ ...MODE, storage: Object.assign(shared, { shared: true }) });
  await first.logout();
  await settle();
  assert.deepEqual(
    [second, apart, named].map((auth) => auth.state.status),
    ['out', 'in', 'out'],
  );
});

test('a page that may not look at localStorage still has its own storage', async (t) => {
  const world = new World(t);
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true,
    get() { throw new DOMException('no', 'SecurityError'); },
  });
  t.after(() => delete globalThis.localStorage);
  assert.equal((await world.openIn({ ...MODE, storage: new Slow() })).state.status, 'in');
});
