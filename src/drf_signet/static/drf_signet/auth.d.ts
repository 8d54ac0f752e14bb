/** The types of drf-signet's client. The guide is docs/howto/javascript.md. */

/** What an access token says. `Own` are the claims that the setting `CLAIMS` adds. */
export type Claims<Own extends object = {}> = Own & {
  readonly token_type: 'access';
  /** When the token ends and was made: seconds since 1970, by the server's clock. */
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  readonly user_id: number | string;
  /** The session, as the list of sessions calls it. */
  readonly sid: string;
  /** Further ones, if the server is set up so. */
  readonly auth_time?: number;
  readonly iss?: string;
  readonly aud?: string | readonly string[];
};

/** Nobody is logged in, or it is not known yet. */
export interface Absent {
  readonly status: 'loading' | 'out';
  readonly claims: null;
  readonly expiresAt: null;
  /**
   * Why: `logout`, here or in another tab; `expired`, `ended`, `reused`, `user_inactive` and others, as
   * the server says; while loading, what keeps the answer away, `network` for example. Null on a first
   * visit.
   */
  readonly reason: string | null;
}

/** Somebody is logged in. */
export interface Present<Own extends object = {}> {
  readonly status: 'in';
  readonly claims: Claims<Own>;
  /** When the access token ends, in milliseconds since 1970 by this computer's clock: to be shown. */
  readonly expiresAt: number;
  readonly reason: null;
}

export type State<Own extends object = {}> = Absent | Present<Own>;

/** A function, or an observer as RxJS has it. */
export type Observer<T> = ((value: T) => void) | { next(value: T): void };

/** Ends a subscription: called, or by its method. */
export interface Unsubscribe {
  (): void;
  unsubscribe(): void;
}

/** Where the refresh token is kept in token mode: `localStorage`, React Native's AsyncStorage, … */
export interface TokenStorage {
  getItem(name: string): string | null | undefined | Promise<string | null | undefined>;
  setItem(name: string, value: string): unknown;
  removeItem(name: string): unknown;
  /** Whether all tabs see the same; by default so for `localStorage` alone. */
  readonly shared?: boolean;
}

export interface Options {
  /**
   * Where the endpoints are. By default `/auth/`, for `drf_signet.urls_browser`; in token mode
   * `/api/token/`, for `drf_signet.urls`.
   */
  url?: string;
  /** `cookie` for pages; `token` where there are no cookies, and for front ends that keep tokens. */
  mode?: 'cookie' | 'token';
  /** In token mode: where the refresh token is kept. By default in memory, until the page is left. */
  storage?: TokenStorage;
  /** Origins that get the access token, besides that of `url`: `https://api.example.com`. */
  origins?: readonly string[];
}

export interface TokenWish {
  /** A token that was refused: not this one again. */
  rejected?: string | undefined;
  /** Ends the wait of this caller, and of no other. */
  signal?: AbortSignal | undefined;
}

export interface Auth<Own extends object = {}> {
  /** Resolves to the state as soon as it is known whether somebody is logged in. Never rejects. */
  readonly ready: Promise<State<Own>>;
  /** What is known now: frozen, and the same object until something changes. */
  readonly state: State<Own>;
  /** Call the observer now and at each change. */
  readonly subscribe: (observer: Observer<State<Own>>) => Unsubscribe;
  /**
   * Log in, in the place of whoever was.
   *
   * Rejects with an `AuthError`: `no_active_account`, `throttled`, `invalid`, `network`, …
   */
  readonly login: (credentials: Readonly<Record<string, unknown>>) => Promise<State<Own>>;
  /**
   * Log out; with `everywhere` on all devices.
   *
   * Rejects with an `AuthError` when the server has not confirmed it: the session goes on then.
   */
  readonly logout: (options?: { everywhere?: boolean }) => Promise<void>;
  /**
   * The platform's `fetch`, with the access token for the origins that may get it.
   *
   * Renews the token ahead of its end, and sends the request once more after a 401, with its body. Rejects
   * as `fetch` does, and with a retryable `AuthError` when the token can't be renewed now.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Resolves to an access token to use now; to null if nobody is logged in.
   *
   * Rejects with an `AuthError`: retryable when the token can't be renewed now, offline for example;
   * `aborted` by its own signal.
   */
  readonly token: (wish?: TokenWish) => Promise<string | null>;
  /** Stop: no timers, no listeners, no further requests. What is asked for later is `aborted`. */
  readonly dispose: () => void;
}

/** Return a client, which asks at once whether somebody is logged in. */
export function createAuth<Own extends object = {}>(options?: Options): Auth<Own>;

/** Why something did not work; `cause` is the body of the answer, or the error below. */
export class AuthError extends Error {
  constructor(
    code: string,
    more?: { status?: number; retryable?: boolean; detail?: string; cause?: unknown },
  );
  /** The server's code; `network` when no answer of drf-signet's came; `aborted`. */
  readonly code: 'network' | 'aborted' | (string & {});
  /** The status of the answer; 0 without one. */
  readonly status: number;
  /** Nothing was decided: the same may work later. */
  readonly retryable: boolean;
  /** For people. */
  readonly detail: string;
}
