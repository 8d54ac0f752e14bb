/** Test `auth.sessions`: the list of devices, in cookie mode and in token mode. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './world.mjs';

const MODES = [
  ['cookie', {}, '/auth/'],
  ['token', { mode: 'token' }, '/api/token/'],
];
const json = (status, body) => new Response(JSON.stringify(body), { status });
const expired = () => json(401, { code: 'token_not_valid', reason: 'expired', detail: 'No.' });
const sent = (world) => world.requests.map(({ method, path, body }) => [method, path, body]);

for (const [mode, options, base] of MODES) {
  test(`${mode}: the methods call the endpoints with an access token`, async (t) => {
    const world = new World(t);
    const { sessions } = await world.openIn(options);
    assert.deepEqual(await sessions.list(), [{ id: world.sid, current: true }]);
    assert.deepEqual(await sessions.rename('a', 'phone'), { id: 'a', label: 'phone' });
    assert.equal(await sessions.end('a'), undefined);
    assert.equal(await sessions.endOthers(), undefined);
    assert.deepEqual(sent(world), [
      ['GET', `${base}sessions/`, null],
      ['PATCH', `${base}sessions/a/`, '{"label":"phone"}'],
      ['DELETE', `${base}sessions/a/`, null],
      ['POST', `${base}logout/others/`, '{}'],
    ]);
    for (const { bearer, request } of world.requests) {
      assert.match(bearer, /^Bearer /);
      assert.equal(request.headers.get('X-Requested-With'), mode === 'cookie' ? 'drf-signet' : null);
    }
  });

  test(`${mode}: a rejected access token is refreshed once, and the request is sent again`, async (t) => {
    const world = new World(t);
    const { sessions } = await world.openIn(options);
    world.faults = [expired()];
    assert.equal((await sessions.list()).length, 1);
    assert.deepEqual(sent(world).map(([, path]) => path), ['sessions/', 'refresh/', 'sessions/'].map((path) => base + path));
    assert.notEqual(world.requests[0].bearer, world.requests[2].bearer);
    world.faults = [expired(), null, expired()];
    await assert.rejects(sessions.list(), { code: 'token_not_valid', status: 401, retryable: false });
  });

  test(`${mode}: ending the current session logs the user out`, async (t) => {
    const world = new World(t);
    const auth = await world.openIn(options);
    await auth.sessions.end('another');
    assert.equal(auth.state.status, 'in');
    await auth.sessions.end(auth.state.claims.sid);
    assert.deepEqual([auth.state.status, auth.state.reason], ['out', 'logout']);
    assert.equal(await auth.token(), null);
  });
}

test('the list continues after the last id', async (t) => {
  const world = new World(t);
  const { sessions } = await world.openIn();
  await sessions.list({ before: 'a' });
  await sessions.list({ before: undefined });
  assert.deepEqual(world.requests.map(({ request }) => new URL(request.url).search), ['?before=a', '']);
});

test('an id is encoded as one segment of the path', async (t) => {
  const world = new World(t);
  const { sessions } = await world.openIn();
  await sessions.end('../logout/all');
  assert.equal(world.requests[0].path, '/auth/sessions/..%2Flogout%2Fall/');
});

test('all tabs are logged out if one of them ends the session', async (t) => {
  const world = new World(t);
  const [first, second] = [await world.openIn(), await world.openIn()];
  await first.sessions.end(first.state.claims.sid);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(second.state.status, 'out');
});

test('errors of the server reject, and the session continues', async (t) => {
  const world = new World(t);
  const auth = await world.openIn();
  const { sessions } = auth;
  world.faults = [json(404, { code: 'not_found', detail: 'Not found.' })];
  await assert.rejects(sessions.rename('a', 'b'), { code: 'not_found', status: 404, retryable: false });
  world.faults = [json(503, { code: 'busy', detail: 'Busy.' })];
  await assert.rejects(sessions.end(auth.state.claims.sid), { code: 'busy', retryable: true });
  world.faults = [new TypeError('Failed to fetch')];
  await assert.rejects(sessions.endOthers(), { code: 'network', status: 0, retryable: true });
  world.faults = [new Response('<html>a login page of a hotel</html>')];
  await assert.rejects(sessions.list(), { code: 'network', retryable: true });
  assert.equal(auth.state.status, 'in');
});

test('the methods reject if nobody is logged in, and after dispose', async (t) => {
  const world = new World(t);
  const auth = world.open();
  await auth.ready;
  world.requests.length = 0;
  const { list, end, endOthers, rename } = auth.sessions;
  const calls = [list, () => end('a'), endOthers, () => rename('a', 'b')];
  for (const call of calls) await assert.rejects(call(), { code: 'not_authenticated', status: 401 });
  assert.equal(world.requests.length, 0);
  auth.dispose();
  for (const call of calls) await assert.rejects(call(), { code: 'aborted' });
});
