/** Two tabs: what they share with locks, without locks, and when a tab keeps the lock. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Locks, World, settle } from './world.mjs';

const NAME = 'drf-signet https://app.example/auth/';

async function twoTabs(t, { locks } = {}) {
  const world = new World(t);
  if (locks) world.define('navigator', { locks });
  const first = await world.openIn();
  const second = await world.openIn();
  return { world, first, second };
}

const calls = (auth) => Array.from({ length: 20 }, () => auth.fetch('/api/private'));

test('two tabs refresh once per expired token', async (t) => {
  const locks = new Locks();
  const { world, first, second } = await twoTabs(t, { locks });
  for (let i = 1; i <= 8; i += 1) {
    world.pass(300);
    const answers = await Promise.all([first, second].flatMap(calls));
    assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([200]));
    assert.equal(world.count('/auth/refresh/'), i);
  }
  assert.equal(await first.token(), await second.token());
  assert.deepEqual(new Set(locks.log), new Set([NAME]));
});

test('a tab that gets the lock before the new token does not refresh again', async (t) => {
  const { world, first, second } = await twoTabs(t, { locks: new Locks() });
  const post = BroadcastChannel.prototype.postMessage;
  t.mock.method(BroadcastChannel.prototype, 'postMessage', function (news) {
    setTimeout(() => post.call(this, news), 100);
  });
  world.pass(300);
  await Promise.all([first.token(), second.token()]);
  assert.equal(world.count('/auth/refresh/'), 1);
});

test('a tab refreshes itself if the tab before it failed', async (t) => {
  const { world, first, second } = await twoTabs(t, { locks: new Locks() });
  world.pass(300);
  world.faults = [new TypeError('Failed to fetch')];
  const [failed, refreshed] = await Promise.allSettled([first.token(), second.token()]);
  assert.equal(failed.reason.code, 'network');
  assert.ok(refreshed.value);
});

test('a tab that keeps the lock delays other tabs by four seconds', async (t) => {
  const locks = new Locks();
  const { world, first } = await twoTabs(t, { locks });
  world.pass(300);
  const release = await locks.seize(NAME);
  const timers = [];
  t.mock.method(globalThis, 'setTimeout', (fn, time) => timers.push({ fn, time }));
  const token = first.token();
  await settle();
  assert.equal(world.count('/auth/refresh/'), 0);
  assert.deepEqual(timers.map((timer) => timer.time), [4_000]);
  timers[0].fn();
  assert.ok(await token);
  release();
});

test('a platform that refuses locks is used without locks', async (t) => {
  const request = () => Promise.reject(new DOMException('no', 'SecurityError'));
  const { world, first } = await twoTabs(t, { locks: { request } });
  world.pass(300);
  assert.ok(await first.token());
});

test('no observer is called while the lock is held', async (t) => {
  const locks = new Locks();
  let inside = 0;
  const request = locks.request.bind(locks);
  locks.request = (name, options, work) =>
    request(name, options, async (lock) => {
      inside += Boolean(lock);
      try {
        return await work(lock);
      } finally {
        inside -= Boolean(lock);
      }
    });
  const { world, first } = await twoTabs(t, { locks });
  const seen = [];
  first.subscribe(() => seen.push(inside));
  world.pass(300);
  await first.token();
  await first.login({ password: '123' });
  await first.logout();
  assert.deepEqual(seen, [0, 0, 0, 0]);
});

test('a lock covers one request and no storage access, and is never stolen', async (t) => {
  const locks = new Locks();
  const held = []; // requests and storage accesses under each lock
  let current = null;
  const request = locks.request.bind(locks);
  locks.request = (name, options, work) => {
    assert.ok(!options.steal);
    return request(name, options, async (lock) => {
      if (lock) held.push((current = []));
      try {
        return await work(lock);
      } finally {
        current = null;
      }
    });
  };
  const world = new World(t);
  world.define('navigator', { locks });
  const serve = world.serve.bind(world);
  t.mock.method(world, 'serve', (sent) => (current?.push(new URL(sent.url).pathname), serve(sent)));
  const stored = new Map();
  const recorded = (work) => (...args) => (current?.push('storage'), work(...args));
  const storage = {
    shared: true,
    getItem: recorded((name) => stored.get(name)),
    setItem: recorded((name, value) => stored.set(name, value)),
    removeItem: recorded((name) => stored.delete(name)),
  };
  const auth = world.open({ mode: 'token', storage });
  await auth.ready;
  await auth.login({ password: '123' });
  world.pass(300);
  assert.equal((await auth.fetch('/api/private')).status, 200);
  await auth.logout();
  assert.deepEqual(held, [['/api/token/'], ['/api/token/refresh/'], ['/api/token/logout/']]);
});

test('a logout reaches the other tab', async (t) => {
  const { first, second } = await twoTabs(t);
  await first.logout();
  await settle();
  assert.deepEqual([second.state.status, second.state.reason], ['out', 'logout']);
});

test('a login of another user reaches the other tab', async (t) => {
  const { first, second } = await twoTabs(t);
  await first.login({ password: '123' });
  await settle();
  assert.equal(second.state.claims.sid, first.state.claims.sid);
  await second.logout();
  await settle();
  assert.equal(first.state.status, 'out');
  await first.login({ password: '123' });
  await settle();
  assert.equal(second.state.status, 'in');
});

test('theft logs out both tabs, and both states have the reason', async (t) => {
  const { world, first, second } = await twoTabs(t);
  world.pass(300);
  world.faults = [Response.json({ code: 'token_not_valid', reason: 'reused' }, { status: 401 })];
  await first.token();
  await settle();
  assert.deepEqual([first.state.reason, second.state.reason], ['reused', 'reused']);
});

test('a refresh whose response arrives after a logout logs nobody in', async (t) => {
  const { world, first, second } = await twoTabs(t);
  world.pass(300);
  let open;
  world.gate = new Promise((resolve) => (open = resolve));
  const token = first.token();
  await settle();
  world.gate = null;
  await first.logout();
  const sid = second.state.claims?.sid;
  world.sid = sid ?? 'late';
  open();
  assert.equal(await token, null);
  await settle();
  assert.deepEqual([first.state.status, second.state.status], ['out', 'out']);
});

test('a rejection that arrives after a login logs nobody out', async (t) => {
  const { world, first } = await twoTabs(t);
  world.pass(300);
  let open;
  world.gate = new Promise((resolve) => (open = resolve));
  world.faults = [];
  const token = first.token();
  await settle();
  world.gate = null;
  await first.login({ password: '123' });
  world.faults = [Response.json({ code: 'token_not_valid', reason: 'ended' }, { status: 401 })];
  open();
  assert.equal(await token, await first.token());
  assert.equal(first.state.status, 'in');
});

test('a late token of an ended session is ignored', async (t) => {
  const { world, first, second } = await twoTabs(t);
  const { sid } = first.state.claims;
  await first.logout();
  await settle();
  world.sid = sid;
  const channel = new BroadcastChannel(NAME);
  channel.postMessage({ grant: { access: world.mint(), lifetime: 300_000, sentAt: world.wall } });
  await settle();
  channel.close();
  assert.deepEqual([first.state.status, second.state.status], ['out', 'out']);
});

test('the end of another session does not end this session', async (t) => {
  const { first } = await twoTabs(t);
  const channel = new BroadcastChannel(NAME);
  channel.postMessage({ ended: 'another', reason: 'logout' });
  await settle();
  channel.close();
  assert.equal(first.state.status, 'in');
});

test('a token that was delayed between tabs counts its age from its request', async (t) => {
  const { world, first } = await twoTabs(t);
  const channel = new BroadcastChannel(NAME);
  channel.postMessage({ grant: { access: world.mint(), lifetime: 300_000, sentAt: world.wall - 299_000 } });
  await settle();
  channel.close();
  await first.token();
  assert.equal(world.count('/auth/refresh/'), 1);
});

test('clients of different endpoints share nothing', async (t) => {
  const { world, first } = await twoTabs(t);
  const other = world.open({ url: 'https://other.example/auth/' });
  await other.ready;
  await first.logout();
  await settle();
  assert.equal(other.state.status, 'in');
});
