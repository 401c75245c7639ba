/**
 * The main job: a few hundred customers of a small bank share twenty connections, while the server's sessions are
 * terminated and the server itself is killed and started again. In the end the pool is drained and the books must
 * balance.
 *
 * npm start -- --duration 10s
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Cause, Console, Duration, Effect, Exit, Fiber, Layer, Random, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import * as Bank from "./bank.ts"
import { PrimaryDb } from "./PrimaryDb.ts"
import { progress, summary, Tally } from "./report.ts"

const customers = 300

/** A customer goes from errand to errand, thinking between them, until the bank closes. */
const customer = (tally: Tally, isOpen: () => boolean) =>
  Effect.gen(function*() {
    while (isOpen()) {
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 40))
      yield* Effect.catch(Bank.errand, () => Effect.sync(() => tally.failures++))
    }
  })

/** Terminates every session of the program, and later kills the server and starts it again. */
const faults = Effect.fnUntraced(function*(duration: Duration.Duration) {
  const server = yield* EmbeddedPostgres.EmbeddedPostgres
  const third = Duration.toMillis(duration) / 3
  yield* Effect.sleep(third)
  yield* Console.log(`-- ${yield* server.terminateBackends()} sessions are terminated by the administrator`)
  yield* Effect.sleep(third / 2)
  yield* Console.log("-- the server is killed and started again")
  yield* server.restart
  yield* Console.log("-- the server is back")
})

const job = Effect.fnUntraced(function*(tally: Tally, duration: Duration.Duration) {
  const pool = yield* PrimaryDb
  tally.pool = pool
  yield* Effect.forkScoped(tally.watch(pool), { startImmediately: true })
  tally.live = tally.peak = (yield* pool.stats).total
  yield* Bank.open
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("1 second"), progress(tally, pool))))
  let isOpen = true
  const busy = yield* Effect.forkScoped(
    Effect.all(Array.from({ length: customers }, () => customer(tally, () => isOpen)), {
      concurrency: "unbounded",
      discard: true
    })
  )
  const faulty = yield* Effect.forkScoped(faults(duration))
  yield* Effect.sleep(duration)
  yield* Fiber.join(faulty)
  isOpen = false
  yield* Fiber.join(busy)
  yield* Bank.audit
  yield* Console.log("-- the books balance; the pool is drained")
  yield* PrimaryDb.drain
})

const run = (duration: Duration.Duration) =>
  Effect.suspend(() => {
    const tally = new Tally()
    const layers = Layer.provideMerge(PrimaryDb.live, EmbeddedPostgres.layer())
    return Console.log("-- starting PostgreSQL").pipe(
      Effect.andThen(Effect.scoped(job(tally, duration))),
      Effect.provide(layers),
      // Whatever ends the program, the summary is the last thing it says, after everything is released.
      Effect.ensuring(summary(tally))
    )
  })

const seconds = Schema.String.check(Schema.isPattern(/^\d+(\.\d+)?s$/, { message: "a number of seconds, such as 10s" }))

const main = Command.make("start", {
  duration: Flag.String("duration").pipe(Flag.withSchema(seconds), Flag.withDefault("20s"))
}, ({ duration }) => run(Duration.seconds(Number.parseFloat(duration))))

main.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  (program) =>
    NodeRuntime.runMain(program, {
      // Ctrl-C is a way to end it, not a failure.
      teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
    })
)
