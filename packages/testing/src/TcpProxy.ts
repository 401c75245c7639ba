/**
 * A TCP proxy on loopback that can do to a connection what a bad network does.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { candidatePort } from "./internal/freePort.ts"
import * as Faults from "./internal/proxy/faults.ts"
import * as Link from "./internal/proxy/link.ts"
import * as Way from "./internal/proxy/way.ts"

/**
 * The proxy could not listen.
 *
 * @category errors
 * @since 0.1.0
 */
export class TcpProxyError extends Data.TaggedError("TcpProxyError")<{
  readonly port: number
  readonly cause: unknown
}> {
  override get message(): string {
    return `could not listen on port ${this.port}: ${String(this.cause)}`
  }
}

/**
 * A running proxy and the faults it can cause.
 *
 * A fault concerns all connections, those to come too, until it is taken back: with `false`, `undefined` or a duration
 * of 0. A number that makes no sense is a defect.
 *
 * @category models
 * @since 0.1.0
 */
export interface TcpProxy {
  readonly host: string
  readonly port: number
  /** Connections open now. */
  readonly connections: Effect.Effect<number>
  /** Connections accepted so far. */
  readonly accepted: Effect.Effect<number>
  /** Resets all connections, and tells how many. */
  readonly cut: Effect.Effect<number>
  /** Ends all connections in order, and tells how many. */
  readonly fin: Effect.Effect<number>
  /** While on, nothing passes in either direction, and new connections are accepted into silence. */
  readonly blackhole: (on: boolean) => Effect.Effect<void>
  /** While on, new connections are refused. */
  readonly refuse: (on: boolean) => Effect.Effect<void, TcpProxyError>
  /** Refuses new connections and resets all others, as when the server's machine goes down. Tells how many. */
  readonly down: Effect.Effect<number>
  /** Accepts connections again, on the same port. */
  readonly up: Effect.Effect<void, TcpProxyError>
  /** Each piece of data takes so much longer, in each direction, and by chance up to `jitter` more. Order is kept. */
  readonly delay: (duration: Duration.Input, jitter?: Duration.Input) => Effect.Effect<void>
  /** Each connection passes so many bytes a second at most, in each direction. A faster sender has to wait. */
  readonly throttle: (bytesPerSecond: number | undefined) => Effect.Effect<void>
  /** Whatever is written arrives in pieces of so many bytes at most. A busy reader may find several at once. */
  readonly slice: (bytes: number | undefined) => Effect.Effect<void>
  /**
   * From now on so many bytes of the server's answers pass on each connection, then it ends, in order or by a reset.
   * With 0 it ends when the server begins to answer.
   */
  readonly cutAfter: (bytes: number | undefined, ending?: "fin" | "reset") => Effect.Effect<void>
  /** When one side ends or resets a connection, the other learns of it so much later. */
  readonly slowClose: (duration: Duration.Input) => Effect.Effect<void>
}

/**
 * Starts a proxy in front of a server. It lives until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (
  target: { readonly host: string; readonly port: number }
) => Effect.Effect<TcpProxy, TcpProxyError, Scope.Scope> = Effect.fnUntraced(function*(target) {
  const faults = yield* Faults.make
  const links = new Set<Link.Link>()
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  let accepted = 0
  const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    accepted++
    const link = { client, upstream: Net.connect({ ...target, allowHalfOpen: true, noDelay: true }) }
    links.add(link)
    fork(Way.carry(Way.open(link, link.client, link.upstream, faults)))
    fork(Way.carry(Way.open(link, link.upstream, link.client, faults)))
    client.once("close", () => links.delete(link))
  })
  yield* Effect.addFinalizer(() => Effect.andThen(forAll(links, Link.destroy), close(server)))
  const port = yield* Effect.retry(Effect.suspend(() => listen(server, candidatePort())), { times: 20 })
  return {
    host,
    port,
    connections: Effect.sync(() => links.size),
    accepted: Effect.sync(() => accepted),
    ...endings(server, port, links),
    ...disturbances(faults)
  }
})

const endings = (
  server: Net.Server,
  port: number,
  links: ReadonlySet<Link.Link>
): Pick<TcpProxy, "cut" | "fin" | "refuse" | "down" | "up"> => {
  const cut = forAll(links, (link) => Link.end(link, "reset"))
  const up = Effect.suspend(() => server.listening ? Effect.void : Effect.asVoid(listen(server, port)))
  return {
    cut,
    fin: forAll(links, (link) => Link.end(link, "fin")),
    refuse: (on) => on ? close(server) : up,
    down: Effect.andThen(close(server), cut),
    up
  }
}

const disturbances = (
  faults: Faults.Faults
): Pick<TcpProxy, "blackhole" | "delay" | "throttle" | "slice" | "cutAfter" | "slowClose"> => ({
  blackhole: (on) => Effect.asVoid(on ? faults.gate.close : faults.gate.open),
  delay: (duration, jitter = 0) =>
    Faults.set(faults, () => ({
      delay: Faults.millis("delay", duration),
      jitter: Faults.millis("delay's jitter", jitter)
    })),
  throttle: (bytesPerSecond) =>
    Faults.set(faults, () => ({ bytesPerSecond: Faults.count("throttle", bytesPerSecond, 1) })),
  slice: (bytes) => Faults.set(faults, () => ({ slice: Faults.count("slice", bytes, 1) })),
  cutAfter: (bytes, ending = "reset") =>
    Faults.set(faults, () => ({
      cutAfter: bytes === undefined ? undefined : { bytes: Faults.count("cutAfter", bytes, 0), ending }
    })),
  slowClose: (duration) => Faults.set(faults, () => ({ slowClose: Faults.millis("slowClose", duration) }))
})

const host = "127.0.0.1"

const forAll = (links: ReadonlySet<Link.Link>, f: (link: Link.Link) => void): Effect.Effect<number> =>
  Effect.sync(() => {
    const count = links.size
    links.forEach(f)
    return count
  })

const listen = (server: Net.Server, port: number): Effect.Effect<number, TcpProxyError> =>
  Effect.callback((resume) => {
    const failed = (cause: unknown): void => resume(Effect.fail(new TcpProxyError({ port, cause })))
    server.once("error", failed)
    server.listen(port, host, () => {
      server.off("error", failed)
      resume(Effect.succeed(port))
    })
  })

/** Stops listening. Established connections go on, so this does not wait for them. */
const close = (server: Net.Server): Effect.Effect<void> => Effect.sync(() => void (server.listening && server.close()))
