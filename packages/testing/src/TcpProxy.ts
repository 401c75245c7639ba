/**
 * A TCP proxy on loopback that can do to a connection what a bad network does.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { candidatePort } from "./internal/freePort.ts"

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
 * A running proxy and the faults it can cause. A fault concerns all of its connections.
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
  /** Each piece of data takes so much longer, in each direction. */
  readonly delay: (duration: Duration.Input) => Effect.Effect<void>
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
  const links = new Set<Link>()
  const path: Path = { gate: Latch.makeUnsafe(true), delay: 0, clock: yield* Clock.Clock }
  const fork = yield* FiberSet.makeRuntime<never, void, never>()
  let accepted = 0
  const server = Net.createServer({ allowHalfOpen: true }, (client) => {
    accepted++
    const link: Link = { client, upstream: Net.connect({ ...target, allowHalfOpen: true }) }
    links.add(link)
    join(link, path, fork, () => links.delete(link))
  })
  yield* Effect.addFinalizer(() => Effect.andThen(endAll(links, destroy), close(server)))
  const port = yield* Effect.retry(Effect.suspend(() => listen(server, candidatePort())), { times: 20 })
  return {
    host,
    port,
    connections: Effect.sync(() => links.size),
    accepted: Effect.sync(() => accepted),
    cut: endAll(links, reset),
    fin: endAll(links, finish),
    blackhole: (on) => Effect.asVoid(on ? path.gate.close : path.gate.open),
    refuse: (on) =>
      Effect.suspend(() => {
        if (on) return close(server)
        return server.listening ? Effect.void : Effect.asVoid(listen(server, port))
      }),
    delay: (duration) => Effect.sync(() => void (path.delay = Duration.toMillis(duration)))
  }
})

const host = "127.0.0.1"

interface Link {
  readonly client: Net.Socket
  readonly upstream: Net.Socket
}

/** What all connections go through. */
interface Path {
  readonly gate: Latch.Latch
  readonly clock: Clock.Clock
  delay: number
}

type Fork = (effect: Effect.Effect<void>) => unknown

/** What one side did, to be done to the other. */
interface Happening {
  /** When it may be passed on, in milliseconds. */
  readonly due: number
  readonly pass: (to: Net.Socket) => void
  readonly isLast: boolean
}

const join = (link: Link, path: Path, fork: Fork, onGone: () => void): void => {
  fork(passAll(observe(link.client, path), link.upstream, path))
  fork(passAll(observe(link.upstream, path), link.client, path))
  link.client.once("close", onGone)
}

/** The listeners are there at once: a socket's error without one would end the process. */
const observe = (from: Net.Socket, path: Path): Happenings => {
  const happenings: Happenings = { waiting: [], arrived: Latch.makeUnsafe(false) }
  const add = (pass: Happening["pass"], isLast = false): void => {
    happenings.waiting.push({ due: path.clock.currentTimeMillisUnsafe() + path.delay, pass, isLast })
    happenings.arrived.openUnsafe()
  }
  from.on("data", (chunk) => add((to) => void (to.writable && to.write(chunk))))
  from.on("end", () => add(finishOne))
  from.on("error", () => add(resetOne))
  from.on("close", () => add(() => {}, true))
  return happenings
}

interface Happenings {
  readonly waiting: Array<Happening>
  readonly arrived: Latch.Latch
}

const passAll = (happenings: Happenings, to: Net.Socket, path: Path): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (true) {
      const next = happenings.waiting.shift()
      if (next === undefined) {
        happenings.arrived.closeUnsafe()
        yield* happenings.arrived.await
        continue
      }
      const wait = next.due - path.clock.currentTimeMillisUnsafe()
      if (wait > 0) yield* Effect.sleep(wait)
      yield* path.gate.await
      next.pass(to)
      if (next.isLast) return
    }
  })

const endAll = (links: Set<Link>, end: (link: Link) => void): Effect.Effect<number> =>
  Effect.sync(() => {
    const count = links.size
    links.forEach(end)
    return count
  })

const both = (f: (socket: Net.Socket) => void) => ({ client, upstream }: Link): void => {
  f(client)
  f(upstream)
}

const finishOne = (socket: Net.Socket): void => void socket.end()

/** Only an established connection can be reset. */
const resetOne = (socket: Net.Socket): void => void (socket.connecting ? socket.destroy() : socket.resetAndDestroy())

const finish = both(finishOne)

const reset = both(resetOne)

const destroy = both((socket) => void socket.destroy())

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
