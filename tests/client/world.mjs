/**
 * A simulated platform for the client: a server that rotates refresh tokens, stopped clocks, and locks.
 *
 * It replaces the globals that the client uses; the client knows its platform only through them. Two
 * clients in one process act as two tabs: BroadcastChannel connects them as in a browser.
 */

import { createAuth } from '../../src/drf_signet/static/drf_signet/auth.js';

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const json = (status, body, headers) => new Response(body && JSON.stringify(body), { status, headers });

/** Wait until pending promises, channel messages and short timers have finished. */
export const settle = (time = 5) => new Promise((resolve) => realTimeout(resolve, time));
const realTimeout = globalThis.setTimeout;

export class World {
  lifetime = 300; // seconds
  sid = null; // the session in the browser's cookie
  generation = 0;
  token = 0;
  good = new Set(); // access tokens that the API accepts
  requests = []; // the requests sent so far: path, headers, body
  faults = []; // errors or responses for the next requests to drf-signet's endpoints
  gate = null; // a promise for which the endpoints wait
  auths = [];
  mono = 1_000_000;
  wall = 1_700_000_000_000;

  constructor(t) {
    this.t = t;
    t.mock.method(globalThis, 'fetch', (...call) => this.serve(new Request(...call)));
    t.mock.method(performance, 'now', () => this.mono);
    t.mock.method(Date, 'now', () => this.wall);
    t.mock.method(Math, 'random', () => 1);
    this.define('location', { href: 'https://app.example/page' });
    this.define('Request', BrowserRequest);
    this.define('navigator', {});
    this.events = new EventTarget();
    this.define('addEventListener', this.events.addEventListener.bind(this.events));
    t.after(() => this.auths.forEach((auth) => auth.dispose()));
  }

  define(name, value) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    this.t.after(() =>
      before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name],
    );
  }

  /** Open a tab. */
  open(options) {
    const auth = createAuth(options);
    this.auths.push(auth);
    return auth;
  }

  /** Open a tab with a logged-in user. */
  async openIn(options) {
    const auth = this.open(options);
    await auth.ready;
    if (auth.state.status === 'out') await auth.login({ username: 'vitor', password: '123' });
    await settle();
    this.requests.length = 0;
    return auth;
  }

  /** Advance both clocks. */
  pass(seconds) {
    this.mono += seconds * 1_000;
    this.wall += seconds * 1_000;
  }

  emit(type, more) {
    this.events.dispatchEvent(Object.assign(new Event(type), more));
  }

  count(path) {
    return this.requests.filter((request) => request.path === path).length;
  }

  /** Issue an access token, as the server does. */
  mint() {
    const iat = Math.floor(this.wall / 1_000);
    const claims = { token_type: 'access', exp: iat + this.lifetime, iat, jti: `${++this.token}`, user_id: 1, sid: this.sid, name: 'Zoë' };
    const access = `${base64({ alg: 'HS256' })}.${base64(claims)}.signature`;
    this.good.add(access);
    return access;
  }

  async serve(request) {
    const { origin, pathname: path } = new URL(request.url);
    const body = request.body && (await request.clone().text());
    const bearer = request.headers.get('Authorization');
    this.requests.push({ origin, path, bearer, body, request, method: request.method });
    request.signal.throwIfAborted();
    if (!path.match(/^\/(auth|api\/token)\//)) return this.api(request, bearer);
    await this.gate;
    const fault = this.faults.shift();
    if (fault instanceof Error) throw fault;
    if (fault) return fault;
    const rest = path.match(/\/(sessions|logout\/others)\/(.*)$/);
    if (rest) return this.sessions(request.method, rest[2].replace(/\/$/, ''), body && JSON.parse(body));
    return path.startsWith('/auth/') ? this.cookie(path, JSON.parse(body)) : this.pair(path, JSON.parse(body));
  }

  sessions(method, id, body) {
    if (method === 'GET') return json(200, [{ id: this.sid, current: true }]);
    if (method === 'PATCH') return json(200, { id: decodeURIComponent(id), ...body });
    return new Response(null, { status: 204 });
  }

  async api(request, bearer) {
    if (bearer && this.good.has(bearer.slice(7))) return json(200, { text: await request.text() });
    return json(bearer || request.url.includes('private') ? 401 : 200, { code: 'token_not_valid' });
  }

  cookie(path, body) {
    if (path === '/auth/login/') {
      if (body.password !== '123') return json(401, { code: 'no_active_account', detail: 'No.' });
      this.sid = `session ${++this.token}`;
    } else if (path.startsWith('/auth/logout/')) {
      this.sid = null;
    }
    if (!this.sid) return new Response(null, { status: 204 });
    this.generation += 1;
    return json(200, { access: this.mint(), expires_in: this.lifetime });
  }

  pair(path, { refresh, password }) {
    if (path.endsWith('/logout/')) return new Response(null, { status: 204 });
    if (path.endsWith('/refresh/') && refresh !== this.current) {
      return json(401, { code: 'token_not_valid', reason: 'reused', detail: 'No.' });
    }
    if (password) this.sid = `session ${++this.token}`;
    this.current = `refresh ${++this.generation}`;
    return json(200, { access: this.mint(), refresh: this.current });
  }
}

/** Node's Request rejects relative addresses, because Node has no page. */
const NodeRequest = Request;

class BrowserRequest extends NodeRequest {
  constructor(input, init) {
    super(input instanceof NodeRequest ? input : new URL(input, 'https://app.example/page'), init);
  }
}

/** The parts of the specification of `navigator.locks` that the client uses. */
export class Locks {
  #queue = Promise.resolve();
  #held = 0;
  log = [];

  async request(name, { ifAvailable, signal }, work) {
    if (ifAvailable && this.#held) return work(null);
    this.#held += 1;
    const before = this.#queue;
    let release;
    this.#queue = new Promise((resolve) => (release = resolve));
    try {
      await Promise.race([before, abortOf(signal)]);
      this.log.push(name);
      return await work({ name });
    } finally {
      this.#held -= 1;
      before.then(release);
    }
  }

  /** Hold a lock, like a tab that hangs; resolves to a function that releases it. */
  seize(name) {
    return new Promise((held) => {
      this.request(name, {}, () => new Promise((release) => held(release)));
    });
  }
}

function abortOf(signal) {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason));
  });
}
