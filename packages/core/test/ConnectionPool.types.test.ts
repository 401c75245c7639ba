import {
  ConnectionPool,
  type Connector,
  type PoolConfig,
  type PoolError,
  type PoolEvent,
  ResourcePool
} from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, type Scope, type Stream } from "effect"

/** Two types are the same, and not only assignable to one another. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

const same = <A, B>(isSame: Same<A, B>): void => assert.isDefined(isSame)

interface Socket {
  readonly send: (text: string) => Effect.Effect<string, SendFailed, Tracing>
}
interface View {
  readonly query: Effect.Effect<number>
}
interface SendFailed {
  readonly _tag: "SendFailed"
}
interface Tracing {
  readonly _: unique symbol
}

class Primary extends ConnectionPool.Service<Primary, Socket>()("test/Primary") {}
class Replica extends ConnectionPool.Service<Replica, Socket>()("test/Replica") {}
class Mailer extends ResourcePool.Service<Mailer, Socket>()("test/Mailer") {}

declare const connector: Connector.Connector<Socket>
declare const lending: Connector.Connector<Socket, View>
declare const primary: Layer.Layer<Primary, PoolError.PoolError>

// What is only declared must not be read: the bodies are checked and never run.
const checked = (body: () => void): void => assert.isFunction(body)

describe("ConnectionPool: types", () => {
  it("make gives a pool of what the connector lends, may fail with PoolError and needs a scope", () =>
    checked(() => {
      const made = ConnectionPool.make(connector)
      same<typeof made, Effect.Effect<ConnectionPool.ConnectionPool<Socket>, PoolError.PoolError, Scope.Scope>>(true)
      const lends = ConnectionPool.make(lending, { name: "x", kind: { name: "db" } })
      same<typeof lends, Effect.Effect<ConnectionPool.ConnectionPool<View>, PoolError.PoolError, Scope.Scope>>(true)
      // @ts-expect-error an unknown option
      const misspelt = ConnectionPool.make(connector, { maxConections: 5 })
      // @ts-expect-error a kind is more than its name
      const unknown = ConnectionPool.make(connector, { kind: "ftp" })
      assert.isDefined([misspelt, unknown])
    }))

  it("withConnection adds PoolError to what the body fails with and asks for what the body needs", () =>
    checked(() => {
      const pool: ConnectionPool.ConnectionPool<Socket> = undefined as never
      const lease = pool.withConnection((socket) => socket.send("hello"))
      same<typeof lease, Effect.Effect<string, SendFailed | PoolError.PoolError, Tracing>>(true)
      const shared = pool.withShared((socket) => socket.send("hello"), { label: "greeting" })
      same<typeof shared, Effect.Effect<string, SendFailed | PoolError.PoolError, Tracing>>(true)
      const plain = pool.withConnection(() => Effect.succeed(1))
      same<typeof plain, Effect.Effect<number, PoolError.PoolError>>(true)
      // @ts-expect-error the body gives an effect
      const bare = pool.withConnection(() => 1)
      assert.isDefined(bare)
    }))

  it("get gives a connection within a scope", () =>
    checked(() => {
      const pool: ConnectionPool.ConnectionPool<Socket> = undefined as never
      same<typeof pool.acquire, Effect.Effect<Socket, PoolError.PoolError, Scope.Scope>>(true)
      same<typeof pool.drain, Effect.Effect<ConnectionPool.DrainReport>>(true)
      same<typeof pool.events, Stream.Stream<PoolEvent.PoolEvent>>(true)
    }))

  it("the statics of a service class ask for the class", () =>
    checked(() => {
      const lease = Primary.withConnection((socket) => socket.send("hello"))
      same<typeof lease, Effect.Effect<string, SendFailed | PoolError.PoolError, Tracing | Primary>>(true)
      same<typeof Primary.acquire, Effect.Effect<Socket, PoolError.PoolError, Scope.Scope | Primary>>(true)
      same<Effect.Services<typeof Primary.stats>, Primary>(true)
      same<Effect.Services<typeof Primary.drain>, Primary>(true)
      same<typeof Primary.events, Stream.Stream<PoolEvent.PoolEvent, never, Primary>>(true)
      same<ReturnType<typeof Primary.eventsWith>, Stream.Stream<PoolEvent.PoolEvent, never, Primary>>(true)
      same<Effect.Error<ReturnType<typeof Primary.setLimit>>, PoolError.PoolError>(true)
      same<Effect.Success<typeof Primary>, ConnectionPool.ConnectionPool<Socket>>(true)
    }))

  it("another pool's layer does not satisfy a service", () =>
    checked(() => {
      const lease = Replica.withConnection(() => Effect.void)
      const provided = Effect.provide(lease, primary)
      same<typeof provided, Effect.Effect<void, PoolError.PoolError, Replica>>(true)
      same<typeof lease extends Effect.Effect<unknown, unknown, Primary> ? true : false, false>(true)
      // @ts-expect-error it is the layer of another pool
      const replica: Layer.Layer<Replica, PoolError.PoolError> = primary
      assert.isDefined(replica)
    }))

  it("a pool of what one program lends is not a pool of something else", () =>
    checked(() => {
      const pool: ConnectionPool.ConnectionPool<Socket> = undefined as never
      // @ts-expect-error the connections differ
      const other: ConnectionPool.ConnectionPool<View> = pool
      assert.isDefined(other)
    }))

  it("the reasons of PoolError can be told apart and caught one by one", () =>
    checked(() => {
      const pool: ConnectionPool.ConnectionPool<Socket> = undefined as never
      const lease = pool.withConnection(() => Effect.succeed(1))
      const caught = Effect.catchTag(lease, "PoolError", () => Effect.succeed("other" as const))
      same<typeof caught, Effect.Effect<number | "other">>(true)
      const one = Effect.catchReason(lease, "PoolError", "AcquireTimeout", (timeout) => Effect.succeed(timeout.waited))
      same<typeof one, Effect.Effect<number, PoolError.PoolError>>(true)
      same<
        PoolError.PoolErrorReason["_tag"],
        | "AcquireTimeout"
        | "QueueFull"
        | "Overloaded"
        | "QueueCleared"
        | "ConnectFailed"
        | "BreakerOpen"
        | "PoolPaused"
        | "PoolClosed"
        | "InvalidOption"
      >(true)
    }))

  it("a pool of resources asks once for what its steps need", () =>
    checked(() => {
      const acquire: Effect.Effect<Socket, SendFailed, Tracing | Scope.Scope> = undefined as never
      const made = ResourcePool.make({ acquire, maxConnections: 2 })
      same<
        typeof made,
        Effect.Effect<ConnectionPool.ConnectionPool<Socket>, PoolError.PoolError, Tracing | Scope.Scope>
      >(true)
      const layer = Mailer.layer({ acquire })
      same<typeof layer, Layer.Layer<Mailer, PoolError.PoolError, Tracing>>(true)
      same<Effect.Services<ReturnType<typeof Mailer.warmUp>>, Mailer>(true)
    }))

  it("every option may be undefined", () =>
    checked(() => {
      same<Record<keyof PoolConfig.PoolOptions, undefined> extends PoolConfig.PoolOptions ? true : false, true>(true)
    }))
})
