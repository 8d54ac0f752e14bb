/** The types of drf-signet's JavaScript client. The guide is docs/howto/javascript.md. */

/** The claims of an access token. `Own` are the claims that the setting `CLAIMS` adds. */
export type Claims<Own extends object = {}> = Own & {
  readonly token_type: 'access';
  /** When the token expires and when it was issued: seconds since 1970, by the server's clock. */
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  readonly user_id: number | string;
  /** The id of the session, as in the list of sessions. */
  readonly sid: string;
  /** Present if the server's settings add them. */
  readonly auth_time?: number;
  readonly iss?: string;
  readonly aud?: string | readonly string[];
};

/** Nobody is logged in, or the client does not know yet. */
export interface Absent {
  readonly status: 'loading' | 'out';
  readonly claims: null;
  readonly expiresAt: null;
  /**
   * Why the user is logged out: `logout`, here or in another tab, or the server's reason: `expired`,
   * `ended`, `reused`, `user_inactive`, … While loading: the code of the last failure, for example
   * `network`. Null on a first visit.
   */
  readonly reason: string | null;
}

/** A user is logged in. */
export interface Present<Own extends object = {}> {
  readonly status: 'in';
  readonly claims: Claims<Own>;
  /** When the access token expires, in milliseconds since 1970 by this computer's clock; for display. */
  readonly expiresAt: number;
  readonly reason: null;
}

export type State<Own extends object = {}> = Absent | Present<Own>;

/** A function, or an observer like those of RxJS. */
export type Observer<T> = ((value: T) => void) | { next(value: T): void };

/** Ends a subscription: call it, or its method. */
export interface Unsubscribe {
  (): void;
  unsubscribe(): void;
}

/** Stores the refresh token in token mode: `localStorage`, React Native's AsyncStorage, … */
export interface TokenStorage {
  getItem(name: string): string | null | undefined | Promise<string | null | undefined>;
  setItem(name: string, value: string): unknown;
  removeItem(name: string): unknown;
  /** Whether all tabs share the storage. By default true for `localStorage`, false for all others. */
  readonly shared?: boolean;
}

export interface Options {
  /**
   * The URL of the endpoints. By default `/auth/`, for `drf_signet.urls_browser`; in token mode
   * `/api/token/`, for `drf_signet.urls`.
   */
  url?: string;
  /** `cookie` for pages; `token` for platforms without cookies and front ends that store tokens. */
  mode?: 'cookie' | 'token';
  /** In token mode: stores the refresh token. By default memory, until the user leaves the page. */
  storage?: TokenStorage;
  /** Origins that receive the access token besides that of `url`: `https://api.example.com`. */
  origins?: readonly string[];
}

/** The fields of the login form, with all other fields that the server's serializer has. */
export interface Credentials {
  readonly remember?: boolean | undefined;
  readonly [field: string]: unknown;
}

export interface TokenWish {
  /** A token that the API rejected, so that another token is returned. */
  rejected?: string | undefined;
  /** Aborts the wait of this caller only. */
  signal?: AbortSignal | undefined;
}

/** A session of the user: one login on one device. Times are strings in ISO 8601. */
export interface Session {
  readonly id: string;
  /** Whether it is the session of this client. */
  readonly current: boolean;
  readonly created_at: string;
  /** When the session was last used. */
  readonly refreshed_at: string;
  readonly expires_at: string;
  readonly transport: 'cookie' | 'token';
  /** A name such as "Firefox on Windows", or the user agent if the server does not parse it. */
  readonly device: string;
  readonly user_agent: string;
  readonly ip_address: string | null;
  /** The name that the user has given to the device. */
  readonly label: string;
}

/** The sessions of the user. The methods reject with an `AuthError`, for example `not_found`. */
export interface Sessions {
  /** List the sessions, the most recently used first, at most 100; `before` is the last id so far. */
  list(options?: { before?: string | undefined }): Promise<Session[]>;
  /** End one session. If it is the session of this client, the user is logged out. */
  end(id: string): Promise<void>;
  /** End all sessions except the session of this client. */
  endOthers(): Promise<void>;
  /** Name a device; an empty label removes the name. Resolves to the session. */
  rename(id: string, label: string): Promise<Session>;
}

export interface Auth<Own extends object = {}> {
  /** Resolves to the state once the client knows whether a user is logged in. Never rejects. */
  readonly ready: Promise<State<Own>>;
  /** The current state: a frozen object, the same object until it changes. */
  readonly state: State<Own>;
  /** Call the observer now and at each change. */
  readonly subscribe: (observer: Observer<State<Own>>) => Unsubscribe;
  /**
   * Log in; this replaces the current session. `remember` is for cookies: `true` keeps the user logged in
   * for two weeks, `false` until the browser is closed. Without it, the server's settings decide.
   *
   * Rejects with an `AuthError`: `no_active_account`, `throttled`, `invalid`, `network`, …
   */
  readonly login: (credentials: Credentials) => Promise<State<Own>>;
  /**
   * Log out; with `everywhere`, on all devices.
   *
   * Rejects with an `AuthError` if the server does not confirm it; the session then continues.
   */
  readonly logout: (options?: { everywhere?: boolean }) => Promise<void>;
  /** The user's sessions, for a list of devices. */
  readonly sessions: Sessions;
  /**
   * The platform's `fetch`, with the access token for the origins that may receive it.
   *
   * Refreshes the token before it expires, and sends the request again with its body after a 401. Rejects
   * like `fetch`, and with a retryable `AuthError` if the token cannot be refreshed now.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Resolves to a valid access token, or to null if nobody is logged in.
   *
   * Rejects with an `AuthError`: a retryable error if the token cannot be refreshed now, for example
   * offline; `aborted` if its signal aborts.
   */
  readonly token: (wish?: TokenWish) => Promise<string | null>;
  /** Stop: no timers, no listeners, no further requests. Later calls reject with `aborted`. */
  readonly dispose: () => void;
}

/**
 * Return a client, which immediately checks whether a user is logged in.
 *
 * Throws a `TypeError` for an unknown option or an unknown mode. Its message names the nearest known one.
 */
export function createAuth<Own extends object = {}>(options?: Options): Auth<Own>;

/** The error that the client's methods reject with; `cause` is the body or the original error. */
export class AuthError extends Error {
  constructor(
    code: string,
    more?: { status?: number; retryable?: boolean; detail?: string; cause?: unknown },
  );
  /** The server's code, or `network` if drf-signet sent no response, or `aborted`. */
  readonly code: 'network' | 'aborted' | (string & {});
  /** The HTTP status, or 0 without a response. */
  readonly status: number;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** A message for people. */
  readonly detail: string;
}
