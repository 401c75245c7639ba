/**
 * The main job: people talk to their voice terminals, which keep four kinds of connections: a database with its
 * replica, a cache, a voice API over HTTP and a realtime WebSocket. The servers are started for it, nothing needs to be
 * installed, and the dashboard shows the pools at work.
 *
 * npm start -- --duration 60s --load 200 --chaos
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { ConnectionManager, Monitoring } from "@effect-pools/manager"
import { Cause, Clock, Console, Data, Duration, Effect, Exit, Fiber, Layer, Redacted, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { randomUUID } from "node:crypto"
import * as Net from "node:net"
import * as Backends from "./backends/all.ts"
import * as Chaos from "./chaos.ts"
import * as Conversation from "./conversation.ts"
import { crowd, regulars, warmUp } from "./load.ts"
import * as Pools from "./Pools.ts"
import { progress, summary, targets } from "./report.ts"
import { Observed, Tally } from "./Tally.ts"

interface Settings {
  readonly duration: Duration.Duration
  readonly people: number
  readonly isChaotic: boolean
  readonly port: number
  /** Made for this run: it lets whoever reads the terminal act on the pools. */
  readonly token: string
}

const observe = Effect.fnUntraced(function*(tally: Tally) {
  tally.observed = new Map(
    (yield* ConnectionManager.pools).map((pool) => [pool.name, new Observed(pool, () => tally.isSteady)])
  )
  for (const observed of tally.observed.values()) {
    observed.begin((yield* observed.pool.stats).total)
    yield* Effect.forkScoped(observed.watch, { startImmediately: true })
  }
})

const everySecond = Effect.fnUntraced(function*(tally: Tally) {
  for (let second = 1;; second++) {
    yield* Effect.sleep("1 second")
    yield* progress(tally, second)
  }
})

const job = Effect.fnUntraced(function*(tally: Tally, { duration, isChaotic, people, token }: Settings) {
  yield* observe(tally)
  yield* Console.log(`-- the dashboard is at ${(yield* Monitoring.Address).url}`)
  yield* Console.log(`-- its buttons (pause, drain, ...) ask for the token: ${token}`)
  yield* Conversation.setUp
  yield* warmUp
  const ticker = yield* Effect.forkScoped(everySecond(tally))
  let isOpen = true
  const staying = yield* Effect.forkScoped(regulars(() => isOpen))
  const busy = yield* Effect.forkScoped(crowd(people, tally, () => isOpen))
  tally.isSteady = true
  const chaos = yield* Effect.forkScoped(isChaotic ? Chaos.round : Effect.void)
  const began = yield* Clock.currentTimeMillis
  // Ctrl-C ends the time in which people talk; the audit and the report come after it all the same.
  yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(restore(Effect.andThen(Effect.sleep(duration), Fiber.join(chaos))))
      tally.isSteady = false
      const took = (yield* Clock.currentTimeMillis) - began
      if (Exit.isFailure(exit)) {
        if (!Cause.hasInterruptsOnly(exit.cause)) return yield* exit
        yield* Console.log("-- stopping: everybody ends the turn they are in")
        yield* Fiber.interrupt(chaos)
      }
      isOpen = false
      yield* Fiber.join(busy)
      yield* Fiber.join(staying)
      yield* Fiber.interrupt(ticker)
      yield* Conversation.audit(tally)
      yield* Console.log("-- every turn that was served is stored, once")
      yield* targets(tally, { took, people, isChaotic })
      tally.drainMillis = Math.round((yield* ConnectionManager.drain()).took)
    })
  )
})

const run = (settings: Settings) =>
  Effect.suspend(() => {
    const tally = new Tally()
    const layers = Monitoring.layer({ port: settings.port, token: Redacted.make(settings.token) }).pipe(
      Layer.provideMerge(Pools.layer),
      Layer.provideMerge(Backends.layer)
    )
    return isFree(settings.port).pipe(
      Effect.andThen(Console.log("-- starting the servers")),
      Effect.andThen(Effect.provide(Effect.scoped(job(tally, settings)), layers)),
      // Whatever ends the program, the summary is the last thing it says, after everything is released.
      Effect.ensuring(Effect.suspend(() => summary(tally)))
    )
  })

class PortTaken extends Data.TaggedError("PortTaken")<{ readonly port: number; readonly code: string | undefined }> {
  override get message(): string {
    return `the dashboard can't listen at port ${this.port} (${this.code}): choose another with --port, or 0 for any free one`
  }
}

/** Before servers are started, which takes a while. */
const isFree = (port: number): Effect.Effect<void, PortTaken> =>
  port === 0 ? Effect.void : Effect.callback((resume) => {
    const server = Net.createServer()
    server.once(
      "error",
      (error: NodeJS.ErrnoException) => resume(Effect.fail(new PortTaken({ port, code: error.code })))
    )
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.void)))
  })

const seconds = Schema.String.check(
  Schema.isPattern(/^(?=.*[1-9])\d+(\.\d+)?s$/, { message: "a number of seconds above 0, such as 10s" })
)
const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
const People = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))

const main = Command.make(
  "start",
  {
    duration: Flag.String("duration").pipe(
      Flag.withSchema(seconds),
      Flag.withDefault("30s"),
      Flag.withDescription("how long people talk")
    ),
    load: Flag.Int("load").pipe(
      Flag.withSchema(People),
      Flag.withDefault(200),
      Flag.withDescription("how many people talk")
    ),
    chaos: Flag.Boolean("chaos").pipe(
      Flag.withDefault(false),
      Flag.withDescription("kill and revive each server in turn")
    ),
    port: Flag.Int("port").pipe(
      Flag.withSchema(Port),
      Flag.withDefault(0),
      Flag.withDescription("the port of the dashboard; 0 is any free one")
    )
  },
  ({ chaos, duration, load, port }) =>
    run({
      duration: Duration.seconds(Number.parseFloat(duration)),
      people: load,
      isChaotic: chaos,
      port,
      token: randomUUID()
    })
)

main.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  (program) =>
    NodeRuntime.runMain(program, {
      // Ctrl-C is a way to end it, not a failure.
      teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
    })
)
