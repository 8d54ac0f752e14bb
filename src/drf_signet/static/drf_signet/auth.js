/**
 * The browser client of drf-signet: logs in, keeps the access token, adds it to requests, refreshes it.
 *
 * One module without dependencies or a build step. The refresh token is in a cookie that no script can
 * read, and the access token is in a private field: no secret is stored. All tabs share one session: one
 * tab at a time refreshes, under a lock, and passes the new access token to the others.
 *
 *     const auth = createAuth();
 *     await auth.login({ username, password });
 *     const answer = await auth.fetch('/api/hello/');
 */

// All times are in milliseconds.
const LOCK_WAIT = 4_000; // then a request continues without the lock, whose holder may hang
const NEWS_WAIT = 250; // a message from the last holder of the lock may arrive after the lock itself
const TIMEOUT = 10_000; // a third of the default grace period, so a request can be retried within it
const MAX_LEAD = 30_000;
const MAX_PAUSE = 30_000;

/**
 * The error that the client's methods reject with.
 *
 * `code` is the server's code, or `network` if drf-signet sent no response, or `aborted`. `status` is the
 * HTTP status, or 0 without a response. `retryable` means that the same call may succeed later. `detail`
 * is a message for people. `cause` is the body of the response, or the original error.
 */
export class AuthError extends Error {
  constructor(code, { status = 0, retryable = false, detail = code, cause } = {}) {
    super(detail, { cause });
    this.name = code === 'aborted' ? 'AbortError' : 'AuthError'; // fetch uses this name too
    Object.assign(this, { code, status, retryable, detail });
  }
}

/**
 * Return a client, which immediately checks whether a user is logged in.
 *
 * Its methods work without their object. `auth.d.ts` describes the options. An unknown option, or an
 * unknown mode, throws a TypeError.
 */
export function createAuth(options = {}) {
  check(options);
  const client = new Client(options);
  return Object.freeze({
    /** Resolves to the state once the client knows whether a user is logged in. */
    ready: client.ready,
    /** The current state: a frozen object, the same object until it changes. */
    get state() {
      return client.state;
    },
    /** Call a function or an observer's `next` now and at each change; return a function that ends this. */
    subscribe: (observer) => client.subscribe(observer),
    /** Log in; this replaces the current session. Resolves to the new state. */
    login: (credentials) => client.login(credentials),
    /** Log out; with `everywhere`, on all devices. Rejects if the server does not confirm it. */
    logout: ({ everywhere = false } = {}) => client.logout(everywhere),
    /** The user's sessions: `list`, `end(id)`, `endOthers` and `rename(id, label)`. */
    sessions: Object.freeze({
      list: ({ before } = {}) => client.call('GET', before ? `sessions/?before=${before}` : 'sessions/'),
      end: (id) => client.end(id),
      endOthers: () => client.call('POST', 'logout/others/', {}),
      rename: (id, label) => client.call('PATCH', pathOf(id), { label }),
    }),
    /** `fetch` with the access token, which is refreshed before it expires, and once after a 401. */
    fetch: (input, init) => client.fetch(input, init),
    /** Resolves to a valid access token other than `rejected`, or to null if nobody is logged in. */
    token: (wish = {}) => client.token(wish),
    /** Stop: no timers, no listeners, no further requests. */
    dispose: () => client.dispose(),
  });
}

class Client {
  #state = stateOf('loading', null);
  #observers = new Set();
  #settle;
  ready = new Promise((resolve) => (this.#settle = resolve));

  #server;
  #vault; // the refresh token in token mode
  #tabs;
  #origins; // the origins that may receive the access token

  #held = null; // the current access token, as `read` returns it
  #ended; // the id of the last ended session; later messages about it are ignored

  #refreshing = null;
  #failure; // the error of the last failed refresh, thrown until `#pausedUntil`
  #pausedUntil = 0;
  #failures = 0;
  #timer;
  #life = new AbortController();

  constructor({ url, mode = 'cookie', storage = memory(), origins = [] }) {
    const cookies = mode !== 'token';
    this.#server = server(url ?? (cookies ? '/auth/' : '/api/token/'), cookies);
    this.#vault = cookies ? COOKIE : vault(storage);
    this.#origins = new Set([this.#server.base, ...origins].map(originOf));
    const shared = cookies || (storage.shared ?? isLocalStorage(storage));
    this.#tabs = tabs(shared && `drf-signet ${this.#server.base}`, (news) => this.#hear(news));
    if (globalThis.location || !cookies) this.#start(); // not during server-side rendering
  }

  get state() {
    return this.#state;
  }

  subscribe(observer) {
    const next = (state) => notify(observer, state);
    this.#observers.add(next);
    next(this.#state);
    const end = () => void this.#observers.delete(next);
    return Object.assign(end, { unsubscribe: end }); // React and Svelte call the function, Angular the method
  }

  async login(credentials) {
    this.#checkAlive();
    const answer = await this.#tabs.alone(() => this.#ask('login', credentials));
    if (!answer.access) throw errorOf(answer);
    await this.#enter(answer);
    return this.#state;
  }

  async logout(everywhere) {
    this.#checkAlive();
    await (everywhere ? this.#logoutEverywhere() : this.#logoutHere());
  }

  async fetch(input, init) {
    const request = new Request(input, init);
    const foreign = !this.#origins.has(originOf(request.url));
    if (foreign || request.headers.has('Authorization')) return fetch(request);
    const access = await this.#tokenFor(request);
    if (!access) return fetch(request);
    const answer = await fetch(bearing(request.clone(), access)); // the original keeps its body
    if (answer.status !== 401) return answer;
    const other = await this.#tokenFor(request, access);
    if (!other) return answer;
    answer.body?.cancel(); // frees the connection
    return fetch(bearing(request, other));
  }

  /** Send a request about the user's sessions; resolve to the body, or to undefined if it is empty. */
  async call(method, path, body, rejected) {
    const access = await this.token({ rejected });
    if (!access) throw errorOf({ status: 401, cause: { code: 'not_authenticated', detail: 'not logged in' } });
    const answer = await this.#tabs.alone(() => this.#server.send(method, path, body, access));
    const { status, cause } = answer;
    if (status === 401 && !rejected) return this.call(method, path, body, access);
    if (status === 204) return;
    if (status !== 200 || !cause) throw errorOf(answer);
    return cause;
  }

  async end(id) {
    await this.call('DELETE', pathOf(id));
    if (this.#held?.claims.sid === id) await this.#forget();
  }

  async token({ rejected, signal }) {
    this.#checkAlive();
    if (signal?.aborted) throw aborted(signal.reason);
    const held = this.#held;
    const left = held && held.access !== rejected ? timeLeft(held) : 0;
    if (left > 0 && left > leadOf(held)) return held.access;
    if (this.#state.status === 'out') return null;
    try {
      await unlessAborted(this.#refresh(), signal);
    } catch (error) {
      if (error.code === 'aborted' || left <= 0) throw error; // otherwise the current token is still valid
    }
    return this.#held && this.#held.access;
  }

  dispose() {
    this.#life.abort();
    this.#tabs.close();
    this.#observers.clear();
    clearTimeout(this.#timer);
  }

  // --- refreshing

  #start() {
    const listen = (type, listener) =>
      globalThis.addEventListener?.(type, listener, { signal: this.#life.signal });
    listen('online', () => this.#pauseNoMore());
    // A page that was frozen in the history may have missed messages from other tabs.
    listen('pageshow', ({ persisted }) => persisted && this.#refreshUnasked());
    this.#refreshUnasked();
  }

  #pauseNoMore() {
    this.#pausedUntil = 0; // a coarse clock may lag behind the timer that calls this
    if (this.#state.status === 'loading') this.#refreshUnasked();
  }

  #refreshUnasked() {
    this.#refresh().catch(() => {}); // a caller gets the error when it asks for a token
  }

  /** Refresh; concurrent callers share one refresh. */
  #refresh() {
    return (this.#refreshing ??= this.#refreshOnce().finally(() => (this.#refreshing = null)));
  }

  async #refreshOnce() {
    if (performance.now() < this.#pausedUntil) throw this.#failure;
    const before = this.#held;
    const refresh = await this.#vault.read();
    const answer = refresh === null ? NOBODY : await this.#askAlone(before, refresh);
    // Another tab, a login or a logout may have changed the state meanwhile; that state is newer.
    if (!answer || this.#held !== before || this.#life.signal.aborted) return;
    if (answer.access) return this.#enter(answer);
    if (!isDefinitive(answer)) throw this.#postpone(answer);
    const nobody = await this.#vault.forget(refresh);
    if (nobody && this.#state.status !== 'out') this.#leave(reasonOf(answer, before));
  }

  /** Refresh under the lock, unless another tab has refreshed while this tab waited. */
  #askAlone(before, refresh) {
    return this.#tabs.alone(async (waited) => {
      if (waited && this.#held === before) await this.#tabs.news();
      return this.#held === before ? this.#ask('refresh', { refresh }) : null;
    });
  }

  /** Request tokens, and pass the access token to the other tabs before the lock is released. */
  async #ask(what, body) {
    const answer = await this.#server.post(what, body);
    const { access, lifetime, sentAt } = answer;
    if (access) this.#tabs.tell({ grant: { access, lifetime, sentAt } });
    return answer;
  }

  /** Keep the session, and pause before the next refresh; return the error. */
  #postpone(answer) {
    const { code, retryable } = (this.#failure = errorOf(answer));
    const pause = Math.max(answer.retryAfter, backOff(this.#failures++));
    this.#pausedUntil = performance.now() + pause;
    if (this.#state.status === 'loading') {
      this.#set(stateOf(retryable ? 'loading' : 'out', code));
      clearTimeout(this.#timer);
      if (retryable) this.#timer = setTimeout(() => this.#pauseNoMore(), pause);
    }
    return this.#failure;
  }

  // --- logging out

  async #logoutHere() {
    const refresh = await this.#vault.read();
    const answer =
      refresh === null
        ? NOBODY
        : await this.#tabs.alone(() => this.#server.post('logout', { refresh }));
    if (!isDefinitive(answer)) throw errorOf(answer);
    await this.#vault.forget(refresh);
    this.#leave('logout');
  }

  async #logoutEverywhere() {
    if (!(await this.token({}))) return; // nobody is logged in
    await this.call('POST', 'logout/all/', {});
    await this.#forget();
  }

  async #forget() {
    await this.#vault.forget(await this.#vault.read());
    this.#leave('logout');
  }

  // --- changing the state

  async #enter(answer) {
    await this.#vault.keep(answer.refresh);
    this.#hold(answer);
  }

  #hold(grant) {
    this.#held = read(grant);
    this.#failures = this.#pausedUntil = 0;
    this.#set(stateOf('in', null, this.#held));
  }

  #leave(reason) {
    if (this.#held) this.#tabs.tell({ ended: this.#held.claims.sid, reason });
    this.#drop(reason);
  }

  #drop(reason) {
    this.#ended = this.#held?.claims.sid ?? this.#ended;
    this.#held = null;
    this.#set(stateOf('out', reason));
  }

  /** Apply another tab's message. If it is outdated, the next refresh corrects the state. */
  #hear({ grant, ended, reason }) {
    if (grant && claimsOf(grant.access).sid !== this.#ended) this.#hold(grant);
    if (grant) return;
    if (this.#held?.claims.sid === ended) this.#drop(reason);
    this.#ended = ended;
  }

  #set(state) {
    if (this.#life.signal.aborted) return;
    this.#state = state;
    if (state.status !== 'loading') this.#settle(state);
    for (const next of [...this.#observers]) next(state);
  }

  // --- help

  #checkAlive() {
    if (this.#life.signal.aborted) throw aborted('disposed');
  }

  /** Return a token for a request; if the request is aborted, reject like `fetch`. */
  async #tokenFor({ signal }, rejected) {
    try {
      return await this.token({ signal, rejected });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }
}

// --- the options

const OPTIONS = ['url', 'mode', 'storage', 'origins'];
const MODES = ['cookie', 'token'];

/** Throw for an option that would have no effect, and suggest the closest known option. */
function check(options) {
  for (const name of Object.keys(options)) checkName('option', name, OPTIONS);
  checkName('mode', options.mode ?? MODES[0], MODES);
}

function checkName(kind, name, known) {
  if (known.includes(name)) return;
  const text = String(name).toLowerCase();
  const [nearest] = [...known].sort((a, b) => distance(text, a) - distance(text, b));
  const all = known.join(', ');
  throw new TypeError(`createAuth: unknown ${kind} "${name}", did you mean "${nearest}"? Known: ${all}`);
}

/** Return how many letters must be changed, added or removed to turn one string into the other. */
function distance(from, to) {
  let row = [...` ${to}`].map((_, at) => at);
  [...from].forEach((letter, done) => {
    const next = [done + 1];
    for (let at = 1; at < row.length; at++) {
      next[at] = Math.min(row[at] + 1, next[at - 1] + 1, row[at - 1] + (letter !== to[at - 1]));
    }
    row = next;
  });
  return row.at(-1);
}

// --- the state

function stateOf(status, reason, held) {
  const { claims = null, sentAt, lifetime } = held ?? {};
  return Object.freeze({ status, claims, expiresAt: held ? sentAt + lifetime : null, reason });
}

function notify(observer, state) {
  try {
    observer.next ? observer.next(state) : observer(state);
  } catch (error) {
    queueMicrotask(() => {
      throw error; // reported as uncaught, after all other observers have been called
    });
  }
}

// --- tokens

/** Return a grant with its claims, and the time of its request by the monotonic clock. */
function read(grant) {
  const age = Math.max(0, Date.now() - grant.sentAt);
  const claims = Object.freeze(claimsOf(grant.access));
  return { ...grant, claims, since: performance.now() - age };
}

/**
 * Return the remaining lifetime of a token: its lifetime minus the time since its request. Two clocks
 * measure that time: the monotonic clock may stop while a computer sleeps, and the user may set the
 * wall clock. The larger value counts.
 */
function timeLeft({ lifetime, since, sentAt }) {
  return lifetime - Math.max(performance.now() - since, Date.now() - sentAt);
}

/** Return how long before its expiry a token is refreshed: a tenth of its lifetime, at most MAX_LEAD. */
function leadOf({ lifetime }) {
  return Math.min(MAX_LEAD, lifetime / 10);
}

function claimsOf(token) {
  const binary = atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'));
  const escaped = (byte) => '%' + byte.charCodeAt(0).toString(16).padStart(2, '0');
  return JSON.parse(decodeURIComponent(binary.replace(/[^]/g, escaped)));
}

function bearing(request, access) {
  request.headers.set('Authorization', `Bearer ${access}`);
  return request;
}

// --- the server

/** The response to a refresh without a refresh token. */
const NOBODY = { status: 204 };

/** Return functions that call the endpoints of `urls_browser`, or of `urls` in token mode. */
function server(url, cookies) {
  const base = new URL(url.replace(/\/?$/, '/'), globalThis.location?.href ?? 'http://localhost').href;
  const login = cookies ? 'login/' : '';
  const paths = { login, refresh: 'refresh/', logout: 'logout/' };
  const headers = { 'Content-Type': 'application/json' };
  if (cookies) headers['X-Requested-With'] = 'drf-signet';

  /** Send a request; return its result, also for errors. Never rejects. */
  async function send(method, path, body, access) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    const sentAt = Date.now();
    try {
      const answer = await fetch(base + path, {
        method,
        headers: access ? { ...headers, Authorization: `Bearer ${access}` } : headers,
        body: JSON.stringify(body),
        credentials: cookies ? 'include' : 'omit',
        redirect: 'error',
        keepalive: true, // the browser must store the new cookie even if the user leaves the page
        signal: abort.signal,
      });
      return { ...(await grantOf(answer)), sentAt };
    } catch (cause) {
      return { status: 0, retryAfter: 0, cause };
    } finally {
      clearTimeout(timer);
    }
  }
  return { base, send, post: (what, body) => send('POST', paths[what], body) };
}

async function grantOf(answer) {
  const { status } = answer;
  const body = status === 204 ? null : await answer.json().catch(() => null);
  const retryAfter = 1_000 * (answer.headers.get('Retry-After') || 0) || 0;
  if (!answer.ok || typeof body?.access !== 'string') return { status, cause: body, retryAfter };
  const { access, refresh, expires_in: seconds } = body;
  const { iat, exp } = claimsOf(access);
  return { access, refresh, lifetime: 1_000 * (seconds ?? exp - iat) };
}

/** Return whether drf-signet itself, not a proxy, says that there is no session. */
function isDefinitive({ status, cause }) {
  return status === 204 || (status === 401 && typeof cause?.code === 'string');
}

function reasonOf({ cause }, before) {
  return cause?.reason ?? cause?.code ?? (before ? 'ended' : null);
}

function errorOf({ status, cause }) {
  const ours = typeof cause?.code === 'string';
  const retryable = status < 400 || status === 429 || status >= 500;
  const detail = ours ? cause.detail : status ? `unexpected answer (${status})` : 'no answer';
  return new AuthError(ours ? cause.code : 'network', { status, retryable, detail, cause });
}

/** Return how long to pause: longer after each failure, and random, so that clients spread out. */
function backOff(failures) {
  return Math.min(MAX_PAUSE, 1_000 * 2 ** failures) * (0.5 + Math.random() / 2);
}

// --- storing the refresh token

/** In cookie mode the browser stores the token: there is nothing to do. */
const COOKIE = { read() {}, keep() {}, forget: () => true };

/** Store the token in an object with the methods of `Storage`, under the name `refresh`. */
function vault(storage) {
  const read = async () => (await storage.getItem('refresh')) ?? null;
  const keep = async (refresh) => void (refresh && (await storage.setItem('refresh', refresh)));
  /** Delete the token, unless another token has replaced it. */
  const forget = async (refresh) => {
    const same = (await read()) === refresh;
    if (same) await storage.removeItem('refresh');
    return same;
  };
  return { read, keep, forget };
}

function memory() {
  const kept = new Map();
  const setItem = (name, value) => void kept.set(name, value);
  return { getItem: (name) => kept.get(name), setItem, removeItem: (name) => kept.delete(name) };
}

function isLocalStorage(storage) {
  try {
    return storage === globalThis.localStorage;
  } catch {
    return false; // the browser may deny access to localStorage
  }
}

// --- the other tabs

/** Share messages and a lock under a name; without a name or platform support, share nothing. */
function tabs(name, hear) {
  let channel = name && globalThis.BroadcastChannel ? new BroadcastChannel(name) : null;
  let heard;
  if (channel) {
    channel.onmessage = ({ data }) => {
      hear(data);
      heard?.();
    };
  }
  return {
    tell: (news) => channel?.postMessage(news),
    news: () => Promise.race([new Promise((resolve) => (heard = resolve)), sleep(NEWS_WAIT)]),
    alone: (work) => alone(name, work),
    close() {
      channel?.close();
      channel = null; // requests that are still running send no messages
    },
  };
}

/** Run `work(waited)` while no other tab does; without a lock, run it anyway. */
async function alone(name, work) {
  const locks = name && globalThis.navigator?.locks;
  let begun;
  if (locks) await holding(locks, name, (waited) => (begun = work(waited))).catch(() => {});
  return begun ?? work(false);
}

async function holding(locks, name, work) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), LOCK_WAIT);
  const begin = (waited) => {
    clearTimeout(timer);
    return work(waited);
  };
  try {
    const ifFree = async (lock) => lock && (await begin(false), true);
    const done = await locks.request(name, { ifAvailable: true }, ifFree);
    if (!done) await locks.request(name, { signal: patience.signal }, () => begin(true));
  } finally {
    clearTimeout(timer);
  }
}

// --- help

const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));
const pathOf = (id) => `sessions/${encodeURIComponent(id)}/`;
const originOf = (url) => new URL(url, globalThis.location?.href).origin;
const aborted = (cause) => new AuthError('aborted', { cause });

/** Wait for a shared promise; the signal only aborts this caller's wait. */
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal.reason));
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
