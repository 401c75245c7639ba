/** Pools of sockets whose server goes away. A call sends a byte and waits for it; whatever fails is called again. */
import * as ConnectionPool from "@effect-pools/core/ConnectionPool"
import * as Effect from "effect/Effect"
import * as EffectPool from "effect/Pool"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import genericPool from "generic-pool"
import { connect, type Socket } from "node:net"

const connections = 10

/** Calls until it is told to stop. Each that is answered is told. */
export type Calling = (port: number, callers: number, onAnswer: (caller: number) => void) => Promise<void>

const opened = (port: number): Effect.Effect<Socket, Error> =>
  Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.setNoDelay(true)
    socket.once("connect", () => resume(Effect.succeed(socket)))
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })

const lost = new Error("the connection was lost")

const exchanged = (socket: Socket): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    if (socket.destroyed) return resume(Effect.fail(lost))
    const over = (effect: Effect.Effect<void, Error>) => (): void => {
      socket.off("data", answered)
      socket.off("close", ended)
      resume(effect)
    }
    const answered = over(Effect.void)
    const ended = over(Effect.fail(lost))
    socket.once("data", answered)
    socket.once("close", ended)
    socket.write("x")
    return undefined
  })

const held = (port: number) =>
  Effect.acquireRelease(opened(port), (socket) => Effect.sync(() => socket.destroy()), { interruptible: true })

/** Every caller calls for ever; one that fails calls again, after `pause` if there is one. */
const callFor = (
  call: Effect.Effect<void, unknown>,
  callers: number,
  onAnswer: (caller: number) => void,
  pause: number
): Promise<void> => {
  const again = Effect.retry(call, pause === 0 ? Schedule.forever : Schedule.spaced(pause))
  const caller = (i: number) => Effect.forever(Effect.tap(again, () => Effect.sync(() => onAnswer(i))))
  return Effect.runPromise(
    Effect.forEach(Array.from({ length: callers }, (_, i) => i), caller, { concurrency: "unbounded", discard: true })
  )
}

const ours: Calling = async (port, callers, onAnswer) => {
  const pool = await Effect.runPromise(Scope.provide(
    ConnectionPool.make({
      connect: ({ onBroken }) =>
        Effect.tap(held(port), (socket) => Effect.sync(() => void socket.once("close", () => onBroken(lost)))),
      isBroken: (socket: Socket) => socket.destroyed,
      reset: () => undefined
    }, {
      name: "bench",
      minConnections: connections,
      maxConnections: connections,
      pendingLimit: 10_000,
      acquireTimeout: "1 minute"
    }),
    Scope.makeUnsafe()
  ))
  await callFor(pool.withConnection(exchanged), callers, onAnswer, 0)
}

/** It has no backoff, and asks again at once: the wait is in the connection's making here. */
const generic: Calling = async (port, callers, onAnswer) => {
  const pool = genericPool.createPool<Socket>({
    create: () => Effect.runPromise(Effect.tapError(opened(port), () => Effect.sleep(100))),
    destroy: async (socket) => void socket.destroy(),
    validate: async (socket) => !socket.destroyed
  }, { min: connections, max: connections, testOnBorrow: true })
  pool.on("factoryCreateError", () => {})
  const caller = async (_: unknown, i: number): Promise<void> => {
    for (;;) {
      const socket = await pool.acquire()
      try {
        await Effect.runPromise(exchanged(socket))
        onAnswer(i)
        await pool.release(socket)
      } catch {
        await pool.destroy(socket)
      }
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

/** Its callers are told of each connection that could not be opened, and ask again. */
const effectPool: Calling = async (port, callers, onAnswer) => {
  const pool = await Effect.runPromise(
    Scope.provide(EffectPool.make({ acquire: held(port), size: connections }), Scope.makeUnsafe())
  )
  const call = EffectPool.use(
    pool,
    (socket) => Effect.onError(exchanged(socket), () => EffectPool.invalidate(pool, socket))
  )
  await callFor(call, callers, onAnswer, 100)
}

export const contenders: Readonly<Record<string, { readonly isOurs: boolean; readonly call: Calling }>> = {
  "effect-pools": { isOurs: true, call: ours },
  "generic-pool": { isOurs: false, call: generic },
  "Effect Pool": { isOurs: false, call: effectPool }
}
