import { ConnectionPool, type Connector } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Random, References } from "effect"

interface Wire {
  isDead: boolean
}

/** A network that loses a share of everything that is sent over it; one half of the dials fails, the other hangs. */
const lossy = () => {
  const network = { loss: 0 }
  const isLost = Effect.map(Random.next, (chance) => chance < network.loss)
  const hang = Effect.map(Random.nextBoolean, (hangs) => hangs ? Effect.never : Effect.fail("reset"))
  const connect: Effect.Effect<Wire, string> = Effect.flatMap(
    isLost,
    (lost) => lost ? Effect.flatten(hang) : Effect.delay(Effect.sync(() => ({ isDead: false })), 5)
  )
  const connector: Connector.Connector<Wire> = {
    connect: () => connect,
    validate: ({ isDead }) =>
      Effect.flatMap(isLost, (lost) => lost ? Effect.never : isDead ? Effect.fail("dead") : Effect.sleep(1)),
    isBroken: ({ isDead }) => isDead,
    reset: () => undefined
  }
  const query = (wire: Wire) =>
    Effect.flatMap(isLost, (lost) => {
      if (!lost) return Effect.sleep(10)
      wire.isDead = true
      return Effect.andThen(Effect.sleep(200), Effect.fail("lost"))
    })
  return { network, connector, query }
}

/** The simplest pool there is: it dials for each caller and proves nothing. */
const naive = ({ connector, query }: ReturnType<typeof lossy>, maxConnections: number) => {
  const idle: Array<Wire> = []
  const waiting: Array<() => void> = []
  let total = 0
  const ended = (wire?: Wire) => {
    if (wire === undefined || wire.isDead) total--
    else idle.push(wire)
    waiting.shift()?.()
  }
  const signals = { onBroken: () => {}, onEnded: () => {} }
  const dial = Effect.suspend(() => {
    total++
    return Effect.onError(
      Effect.timeout(Effect.scoped(connector.connect(signals)), 1000),
      () => Effect.sync(() => ended())
    )
  })
  const turn: Effect.Effect<void> = Effect.suspend(() =>
    idle.length > 0 || total < maxConnections ? Effect.void : Effect.andThen(
      Effect.callback<void>((resume) => void waiting.push(() => resume(Effect.void))),
      turn
    )
  )
  return Effect.flatMap(turn, () => {
    const taken = idle.pop()
    return Effect.flatMap(
      taken === undefined ? dial : Effect.succeed(taken),
      (wire) => Effect.ensuring(query(wire), Effect.sync(() => ended(wire)))
    )
  })
}

/** How often something succeeds for so many callers within some seconds. */
const successes = (use: Effect.Effect<unknown, unknown>, callers: number, seconds: number) =>
  Effect.gen(function*() {
    let served = 0
    const caller = Effect.forever(Effect.andThen(
      Effect.map(Effect.exit(use), (exit) => {
        if (Exit.isSuccess(exit)) served++
      }),
      Effect.sleep(20)
    ))
    yield* Effect.forEach(Array.from({ length: callers }), () => Effect.forkScoped(caller))
    yield* Effect.sleep(seconds * 1000)
    return served
  }).pipe(Effect.scoped)

/** Chance alone makes one pair differ by a third: so many at a time, and their sum, by a tenth. */
const networks = 12

/** How often our pool and the simplest one serve on a network that loses so much. */
const beside = Effect.fnUntraced(function*(loss: number) {
  const world = lossy()
  const pool = yield* ConnectionPool.make(world.connector, {
    minConnections: 5,
    maxConnections: 20,
    // The other pool has no such limit: at a loss of 10 % it dials 70 times a second.
    connectRate: 1_000,
    acquireTimeout: "3 seconds",
    connectTimeout: "1 second",
    validateTimeout: 500,
    metrics: false
  })
  world.network.loss = loss
  const [ours, theirs] = yield* Effect.all([
    successes(pool.withConnection(world.query), 50, 6),
    successes(naive(world, 20), 50, 6)
  ], { concurrency: 2 })
  return { ours, theirs }
}, Effect.scoped)

describe("ConnectionPool: a network that loses some of what is sent", () => {
  for (const loss of [0.05, 0.1, 0.3]) {
    it.live(
      `costs no more than it costs a pool that proves nothing, at a loss of ${loss * 100} %`,
      () =>
        Effect.gen(function*() {
          const counted = yield* Effect.all(Array.from({ length: networks }, () => beside(loss)), {
            concurrency: networks
          })
          const sum = (of: (pair: typeof counted[number]) => number) => counted.reduce((all, pair) => all + of(pair), 0)
          // Within a tenth as a rule.
          assert.isAtLeast(sum(({ ours }) => ours), 0.8 * sum(({ theirs }) => theirs), JSON.stringify(counted))
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      30_000
    )
  }
})
