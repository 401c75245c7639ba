/**
 * The options of the monitoring routes and of their server.
 */
import type * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"

/**
 * The options of the routes.
 *
 * @category models
 * @since 0.1.0
 */
export interface RoutesOptions {
  /** The path that all routes are below, such as `/monitoring`. Default `/`. */
  readonly prefix?: `/${string}` | undefined
  /**
   * Lets whoever knows it act on the pools: warm up, drain, pause, resume, retire. At least 16 printable characters.
   * Without it the routes that change something do not exist.
   */
  readonly token?: Redacted.Redacted | undefined
  /**
   * Whether reading needs the token too. Default `"open"`; for a server of its own that is not on loopback, `"token"`
   * where one is given. `/live`, `/ready` and the files of the dashboard never need it.
   */
  readonly reading?: "open" | "token" | undefined
  /**
   * Names under which the server may be asked for, besides `localhost` and any IP address. Default none. A page from
   * elsewhere could use one that is not yours to read the answers: list what you use, and nothing else.
   */
  readonly hosts?: ReadonlyArray<string> | undefined
  /** Whether the dashboard is served. Default true. */
  readonly dashboard?: boolean | undefined
  /**
   * How often a stream without news sends a sign of life. Default 15 s. Too short: traffic for nothing. Too long:
   * proxies take the stream for dead.
   */
  readonly heartbeat?: Duration.Input | undefined
  /**
   * How many streams may be open at once, from 1. Default 50. Too small: further watchers get 503. Too large: each takes up
   * to twice its buffer.
   */
  readonly streams?: number | undefined
  /**
   * How many bytes a stream's client may lag behind before it is disconnected, at least 1024. Default 1 MiB. Too small:
   * a short pause of a client cuts it. Too large: slow clients take memory.
   */
  readonly streamBuffer?: number | undefined
}

/**
 * The options of a server of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions extends RoutesOptions {
  /** The address to listen at. Default `127.0.0.1`. Any that is not loopback needs a token, or `isExposed`. */
  readonly host?: string | undefined
  /** Default 9191; 0 takes any that is free, see `Address`. */
  readonly port?: number | undefined
  /** Lets everybody who reaches a host that is not loopback read without a token. Default false. */
  readonly isExposed?: boolean | undefined
  /**
   * Serves HTTPS, with a certificate (PEM, those above it after it) and its private key. Default none: HTTP.
   */
  readonly tls?: { readonly cert: string; readonly key: Redacted.Redacted } | undefined
  /**
   * Lets the token travel unencrypted to a host that is not loopback, such as from a proxy that ends TLS. Default false:
   * without `tls` such a host is refused where there is a token.
   */
  readonly isUnencrypted?: boolean | undefined
  /**
   * How long a client may take to send the headers of a request. Default 10 s. Too short: clients far away are cut. Too
   * long: slow senders hold their sockets.
   */
  readonly headersTimeout?: Duration.Input | undefined
  /**
   * How long a client may take to send a whole request; never less than `headersTimeout`. Default 15 s. Too short:
   * `headersTimeout` is taken instead. Too long: slow senders hold their sockets.
   */
  readonly requestTimeout?: Duration.Input | undefined
  /**
   * How many sockets may be open at once. Default 1000. Too small: further clients are closed at once. Too large: a flood
   * takes memory and files.
   */
  readonly maxSockets?: number | undefined
}
