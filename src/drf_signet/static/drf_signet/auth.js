/**
 * The browser's side of drf-signet: logs in, keeps the access token, adds it to requests, renews it.
 *
 * One module without dependencies, served as it is written. The refresh token is in a cookie that no
 * script can read, and the access token in a private field: nothing secret is stored. All tabs share one
 * session; one of them refreshes, under a lock, and tells the others.
 *
 *     const auth = createAuth();
 *     await auth.login({ username, password });
 *     const answer = await auth.fetch('/api/hello/');
 */

// All times are in milliseconds.
const LOCK_WAIT = 4_000; // then a request goes on without the lock: whoever holds it may be stuck
const NEWS_WAIT = 250; // what a lock's last holder has said may come after the lock itself
const TIMEOUT = 10_000; // a third of the grace within which the same refresh may be sent again
const MAX_LEAD = 30_000;
const MAX_PAUSE = 30_000;

/**
 * Why something did not work.
 *
 * `code` is the server's; or `network`, when no answer of drf-signet's came; or `aborted`. `status` is
 * the answer's, 0 without one. `retryable`: nothing was decided, and the same may work later. `detail` is
 * for people. `cause` is the answer's body, or the error below.
 */
export class AuthError extends Error {
  constructor(code, { status = 0, retryable = false, detail = code, cause } = {}) {
    super(detail, { cause });
    this.name = code === 'aborted' ? 'AbortError' : 'AuthError'; // the first is what fetch calls it
    Object.assign(this, { code, status, retryable, detail });
  }
}

/**
 * Return a client, which asks at once whether somebody is logged in.
 *
 * Its methods may be used detached. `auth.d.ts` says what the options mean.
 */
export function createAuth(options = {}) {
  const client = new Client(options);
  return Object.freeze({
    /** Resolves to the state as soon as it is known whether somebody is logged in. */
    ready: client.ready,
    /** What is known now: frozen, and the same object until something changes. */
    get state() {
      return client.state;
    },
    /** Call a function, or an observer's `next`, now and at each change; returns how to end it. */
    subscribe: (observer) => client.subscribe(observer),
    /** Log in, in the place of whoever was. Resolves to the new state. */
    login: (credentials) => client.login(credentials),
    /** Log out, with `everywhere` on all devices. Rejects where the server does not confirm it. */
    logout: ({ everywhere = false } = {}) => client.logout(everywhere),
    /** The platform's `fetch`, with the token: renewed ahead of its end, and once more after a 401. */
    fetch: (input, init) => client.fetch(input, init),
    /** Resolves to an access token to use now, other than `rejected`; to null if nobody is logged in. */
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
  #origins; // who may see the access token

  #held = null; // the access token in force, as `read` returns it
  #ended; // the id of the session that ended last; what is still said of it comes late

  #refreshing = null;
  #failure; // why the last refresh failed, until
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
    if (globalThis.location || !cookies) this.#start(); // a server that renders pages has no one to ask
  }

  get state() {
    return this.#state;
  }

  subscribe(observer) {
    const next = (state) => notify(observer, state);
    this.#observers.add(next);
    next(this.#state);
    const end = () => void this.#observers.delete(next);
    return Object.assign(end, { unsubscribe: end }); // React and Svelte call it, Angular its method
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
    answer.body?.cancel(); // sets its connection free
    return fetch(bearing(request, other));
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
      if (error.code === 'aborted' || left <= 0) throw error; // else there is a token to go on with
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
    // A page that was frozen in the history may not have heard the others.
    listen('pageshow', ({ persisted }) => persisted && this.#refreshUnasked());
    this.#refreshUnasked();
  }

  #pauseNoMore() {
    this.#pausedUntil = 0; // a timer is not asked whether a coarse clock agrees with it
    if (this.#state.status === 'loading') this.#refreshUnasked();
  }

  #refreshUnasked() {
    this.#refresh().catch(() => {}); // who wants to know is told when asking for a token
  }

  /** Refresh; whoever asks meanwhile waits for the same. */
  #refresh() {
    return (this.#refreshing ??= this.#refreshOnce().finally(() => (this.#refreshing = null)));
  }

  async #refreshOnce() {
    if (performance.now() < this.#pausedUntil) throw this.#failure;
    const before = this.#held;
    const refresh = await this.#vault.read();
    const answer = refresh === null ? NOBODY : await this.#askAlone(before, refresh);
    // What was found out meanwhile, by another tab, by a login or a logout, is newer.
    if (!answer || this.#held !== before || this.#life.signal.aborted) return;
    if (answer.access) return this.#enter(answer);
    if (!isDefinitive(answer)) throw this.#postpone(answer);
    const nobody = await this.#vault.forget(refresh);
    if (nobody && this.#state.status !== 'out') this.#leave(reasonOf(answer, before));
  }

  /** Send the refresh that the tabs send one at a time, unless the one before made it needless. */
  #askAlone(before, refresh) {
    return this.#tabs.alone(async (waited) => {
      if (waited && this.#held === before) await this.#tabs.news();
      return this.#held === before ? this.#ask('refresh', { refresh }) : null;
    });
  }

  /** Ask for tokens, and pass them on while the lock still keeps the other tabs waiting. */
  async #ask(what, body) {
    const answer = await this.#server.post(what, body);
    const { access, lifetime, sentAt } = answer;
    if (access) this.#tabs.tell({ grant: { access, lifetime, sentAt } });
    return answer;
  }

  /** Keep what is known, and let some time pass before the next refresh; return the error. */
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

  async #logoutEverywhere(rejected) {
    const access = await this.token({ rejected });
    if (!access) return;
    const answer = await this.#tabs.alone(() => this.#server.post('logoutAll', {}, access));
    if (answer.status === 401 && !rejected) return this.#logoutEverywhere(access);
    if (answer.status !== 204) throw errorOf(answer);
    await this.#vault.forget(await this.#vault.read());
    this.#leave('logout');
  }

  // --- what is known

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

  /** Believe another tab. Should it be wrong, out of date, the next refresh corrects it. */
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

  /** Return a token for a request, whose abort looks like that of `fetch`. */
  async #tokenFor({ signal }, rejected) {
    try {
      return await this.token({ signal, rejected });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }
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
      throw error; // its own affair, and no reason for the others not to hear
    });
  }
}

// --- tokens

/** Return a grant with its claims, and with when it was asked for by the clock that nobody sets. */
function read(grant) {
  const age = Math.max(0, Date.now() - grant.sentAt);
  const claims = Object.freeze(claimsOf(grant.access));
  return { ...grant, claims, since: performance.now() - age };
}

/**
 * Return how long a token is good. Its end is never compared with a clock, only what has passed since
 * it was asked for: by the monotonic clock, which may stand still while a computer sleeps, or by the
 * other, which somebody may set; by whichever says more.
 */
function timeLeft({ lifetime, since, sentAt }) {
  return lifetime - Math.max(performance.now() - since, Date.now() - sentAt);
}

/** How long before its end a token is renewed: a tenth of its life, so that a short one is of use. */
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

/** The answer to a refresh by nobody. */
const NOBODY = { status: 204 };

/** The endpoints of `drf_signet.urls_browser`, or of `drf_signet.urls`. */
function server(url, cookies) {
  const base = new URL(url.replace(/\/?$/, '/'), globalThis.location?.href ?? 'http://localhost').href;
  const login = cookies ? 'login/' : '';
  const paths = { login, refresh: 'refresh/', logout: 'logout/', logoutAll: 'logout/all/' };
  const headers = { 'Content-Type': 'application/json' };
  if (cookies) headers['X-Requested-With'] = 'drf-signet';

  /** Send a request; return what came back, whatever that was. */
  async function post(what, body, access) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    const sentAt = Date.now();
    try {
      const answer = await fetch(base + paths[what], {
        method: 'POST',
        headers: access ? { ...headers, Authorization: `Bearer ${access}` } : headers,
        body: JSON.stringify(body),
        credentials: cookies ? 'include' : 'omit',
        redirect: 'error',
        keepalive: true, // a page that is left must not lose the cookie's successor
        signal: abort.signal,
      });
      return { ...(await grantOf(answer)), sentAt };
    } catch (cause) {
      return { status: 0, retryAfter: 0, cause };
    } finally {
      clearTimeout(timer);
    }
  }
  return { base, post };
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

/** Whether an answer settles that there is no session: ours, not that of something on the way. */
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

/** Return how long to wait after so many failures: longer each time, and not all at once. */
function backOff(failures) {
  return Math.min(MAX_PAUSE, 1_000 * 2 ** failures) * (0.5 + Math.random() / 2);
}

// --- where the refresh token is

/** In its cookie: there is nothing to read, keep or forget. */
const COOKIE = { read() {}, keep() {}, forget: () => true };

/** In a `Storage`, or in what has its three methods, under the name that most front ends use. */
function vault(storage) {
  const read = async () => (await storage.getItem('refresh')) ?? null;
  const keep = async (refresh) => void (refresh && (await storage.setItem('refresh', refresh)));
  /** Forget a token, unless another has taken its place. */
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
    return false; // a page may be denied to look
  }
}

// --- the other tabs

/** What is shared under a name: news, and a lock. Without a name, or on an old platform, neither. */
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
      channel = null; // what is still under way has nobody to tell
    },
  };
}

/** Do work, which is told whether it had to wait, while no other tab does; but do it. */
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
const originOf = (url) => new URL(url, globalThis.location?.href).origin;
const aborted = (cause) => new AuthError('aborted', { cause });

/** Wait for what others wait for too: an abort is for this caller alone. */
function unlessAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted(signal.reason));
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
