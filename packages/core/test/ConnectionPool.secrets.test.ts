import { ConnectionPool, type PoolConfig, type PoolEvent } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, Metric, Redacted, Stream, Tracer } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { advance, reason, settle } from "./utils/bench.ts"

const canary = "canary-7f3a"

/** What drivers throw: a message that is fit to be read, and hung onto it the configuration with all its secrets. */
class DriverError extends Error {
  readonly config = { host: "localhost", password: canary, url: `postgres://app:${canary}@localhost/db` }
  readonly options = { auth: { token: canary } }
  readonly client = { connectionParameters: { password: canary } }
  constructor(message: string, cause?: unknown) {
    super(message, { cause })
    this.name = "DriverError"
  }
}

const failure = () => new DriverError("connection refused", new DriverError("inner"))

/** Runs a test with every logger and a tracer listening, and gives all that was written. */
const written = <E>(body: (written: Array<string>) => Effect.Effect<void, E, any>) =>
  Effect.gen(function*() {
    const lines: Array<string> = []
    const write = (line: unknown) => lines.push(typeof line === "string" ? line : JSON.stringify(line))
    const loggers = [
      Logger.map(Logger.formatJson, write),
      Logger.map(Logger.formatLogFmt, write),
      Logger.map(Logger.formatSimple, write),
      Logger.map(Logger.formatStructured, write)
    ]
    const spans: Array<Tracer.Span> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    yield* body(lines).pipe(
      Effect.scoped,
      Effect.provide(Logger.layer(loggers)),
      Effect.withTracer(tracer),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
    for (const span of spans) {
      lines.push(span.name, JSON.stringify([...span.attributes]))
    }
    return lines
  })

const holdsNoCanary = (lines: ReadonlyArray<string>) => {
  assert.isAbove(lines.length, 0)
  for (const line of lines) assert.notInclude(line, canary)
}

const pool = (
  connector: Parameters<typeof ConnectionPool.make<object>>[0],
  options: PoolConfig.PoolOptions = {}
) => ConnectionPool.make(connector, { minConnections: 0, maxConnections: 1, ...options })

describe("ConnectionPool: secrets", () => {
  it.effect("of a failed dial are in no message, log, span, metric or page, only in the cause that the driver made", () =>
    Effect.gen(function*() {
      const lines = yield* written((lines) =>
        Effect.gen(function*() {
          const failing = yield* pool({ connect: () => Effect.fail(failure()) }, { acquireTimeout: "10 seconds" })
          const fiber = yield* Effect.forkScoped(
            Effect.exit(Effect.withSpan(failing.withConnection(() => Effect.void), "load"))
          )
          yield* settle
          yield* advance("10 seconds")
          const exit = fiber.pollUnsafe()
          assert(exit !== undefined && Exit.isSuccess(exit) && Exit.isFailure(exit.value))
          const error = yield* Effect.flip(exit.value)
          assert(error.reason._tag === "ConnectFailed")
          assert.include(error.message, "the last with: connection refused")
          lines.push(error.message, error.reason.message, String(error), `${error.stack}`)
          // What the program can act on is what the driver gave.
          assert.instanceOf(error.reason.cause, DriverError)
          yield* Effect.logError(error.message)
          lines.push(JSON.stringify([yield* failing.stats, yield* failing.connections, yield* failing.health]))
          lines.push(yield* PrometheusMetrics.format())
        })
      )
      holdsNoCanary(lines)
      assert(lines.some((line) => line.includes("could not connect, attempt 1: connection refused")))
    }))

  it.effect("of failures beside the callers are in no log", () =>
    Effect.gen(function*() {
      const lines = yield* written(() =>
        Effect.gen(function*() {
          const fragile = yield* pool({
            connect: ({ onBroken }) =>
              Effect.acquireRelease(
                Effect.sync(() => ({ onBroken })),
                () => Effect.die(failure())
              ),
            validate: () => Effect.fail(failure()),
            reset: () => Effect.fail(failure())
          }, { freshnessWindow: "1 second", maxConnections: 2 })
          yield* fragile.withConnection(() => Effect.void)
          yield* settle
          const other = yield* pool({
            connect: ({ onBroken }) =>
              Effect.as(
                Effect.forkDetach(Effect.delay(Effect.sync(() => onBroken(failure())), "1 second")),
                {}
              )
          }, { minConnections: 1 })
          yield* advance("1 second")
          yield* Effect.forEach([fragile, other], (each) => each.drain)
        })
      )
      holdsNoCanary(lines)
      assert(lines.some((line) => line.includes("could not be reset after its lease: connection refused")))
      assert(lines.some((line) => line.includes("broke while idle: connection refused")))
      assert(lines.some((line) => line.includes("could not be closed: connection refused")))
    }))

  it.effect("of an error that is printed whole are not printed", () =>
    Effect.gen(function*() {
      const failing = yield* pool({ connect: () => Effect.fail(failure()) }, { retry: undefined })
      const fiber = yield* Effect.forkScoped(Effect.exit(failing.withConnection(() => Effect.void)))
      yield* settle
      yield* advance("10 seconds")
      const exit = fiber.pollUnsafe()
      assert(exit !== undefined && Exit.isSuccess(exit) && Exit.isFailure(exit.value))
      holdsNoCanary([Cause.pretty(exit.value.cause)])
    }))

  it.effect("in a Redacted stay redacted", () =>
    Effect.gen(function*() {
      const lines = yield* written(() =>
        Effect.gen(function*() {
          const password = Redacted.make(canary)
          const failing = yield* pool({ connect: () => Effect.fail({ message: "no", password }) })
          yield* Effect.forkScoped(Effect.exit(failing.withConnection(() => Effect.void)))
          yield* settle
        })
      )
      holdsNoCanary(lines)
    }))

  it.effect("in the value of an unknown option are not shown", () =>
    Effect.gen(function*() {
      const options = { password: canary } as PoolConfig.PoolOptions
      const refused = yield* reason(pool({ connect: () => Effect.succeed({}) }, options), "InvalidOption")
      assert.strictEqual(refused.message, "option password: is not an option of a pool")
    }))
})

describe("ConnectionPool: texts that come from elsewhere", () => {
  it.effect("a backend's message forges no line of a log and no colour of a terminal", () =>
    Effect.gen(function*() {
      const message = "no\r\nlevel=ERROR forged\u001b[31m red \u0085\u2028 end"
      const lines: Array<string> = []
      const failing = yield* pool({ connect: () => Effect.fail({ toString: () => message }) }, { retry: undefined })
        .pipe(
          Effect.provide(Logger.layer([Logger.make(({ message }) => lines.push(String(message)))]))
        )
      const fiber = yield* Effect.forkScoped(Effect.flip(failing.withConnection(() => Effect.void)))
      yield* settle
      yield* advance("10 seconds")
      const exit = fiber.pollUnsafe()
      assert(exit !== undefined && Exit.isSuccess(exit))
      lines.push(exit.value.message)
      for (const line of lines) assert.notMatch(line, /[\p{Cc}\u2028\u2029]/u)
      assert(lines.every((line) => line.includes("no  level=ERROR forged [31m red") || !line.includes("forged")))
    }))

  it.effect("a backend's message is cut, so that an error page does not fill the log", () =>
    Effect.gen(function*() {
      const failing = yield* pool({ connect: () => Effect.fail("x".repeat(100_000)) }).pipe(
        Effect.provide(Logger.layer([]))
      )
      const fiber = yield* Effect.forkScoped(Effect.flip(failing.withConnection(() => Effect.void)))
      yield* settle
      yield* advance("10 seconds")
      const exit = fiber.pollUnsafe()
      assert(exit !== undefined && Exit.isSuccess(exit))
      assert.isBelow(exit.value.message.length, 400)
    }))

  const strange: ReadonlyArray<readonly [what: string, error: unknown]> = [
    ["an object without a prototype", Object.create(null)],
    ["an object that can't be read", {
      toString: () => {
        throw new Error("unreadable")
      }
    }],
    ["an error whose message is no text", Object.assign(new Error("text"), { message: { nested: true } })],
    [
      "an error whose message throws",
      Object.defineProperty(new Error("text"), "message", {
        get: () => {
          throw new Error("unreadable")
        }
      })
    ],
    ["a symbol", Symbol("failure")],
    ["nothing", undefined]
  ]

  for (const [what, error] of strange) {
    it.effect(`a dial that fails with ${what} is a failed dial like any other`, () =>
      Effect.gen(function*() {
        let dials = 0
        const failing = yield* pool({
          connect: () => Effect.suspend(() => ++dials === 1 ? Effect.fail(error) : Effect.succeed({}))
        }).pipe(Effect.provide(Logger.layer([])))
        const fiber = yield* Effect.forkScoped(failing.withConnection(() => Effect.void))
        yield* settle
        yield* advance("10 seconds")
        const exit = fiber.pollUnsafe()
        assert(exit !== undefined && Exit.isSuccess(exit), "the next dial served the caller")
        assert.strictEqual((yield* failing.stats).counts.failedToOpen, 1)
      }))
  }

  it.effect("a label forges no line of a log or an error", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const events: Array<PoolEvent.PoolEvent> = []
      const watched = yield* pool({ connect: () => Effect.succeed({}) }, {
        acquireTimeout: "5 seconds",
        leakTimeout: "2 seconds"
      }).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => lines.push(String(message)))])))
      yield* Effect.forkScoped(Stream.runForEach(watched.events, (event) => Effect.sync(() => events.push(event))))
      yield* Effect.forkScoped(watched.withConnection(() => Effect.never, { label: "a\nlevel=ERROR forged\u001b[31m" }))
      yield* settle
      const waiter = yield* Effect.forkScoped(Effect.flip(watched.withConnection(() => Effect.void)))
      yield* settle
      yield* advance("5 seconds")
      const exit = waiter.pollUnsafe()
      assert(exit !== undefined && Exit.isSuccess(exit))
      lines.push(exit.value.message)
      assert.isAtLeast(lines.length, 2)
      for (const line of lines) assert.notMatch(line, /\p{Cc}/u)
    }))

  it.effect("a name with control characters is refused", () =>
    Effect.gen(function*() {
      for (const name of ["a\nb", "a\u001b[31m", "a\u0000", ""]) {
        yield* reason(pool({ connect: () => Effect.succeed({}) }, { name }), "InvalidOption")
      }
    }))

  it.effect("a name with quotes and braces is a label like any other", () =>
    Effect.gen(function*() {
      const name = "x\"} 1\\; drop<script>"
      yield* pool({ connect: () => Effect.succeed({}) }, { name })
      const page = yield* PrometheusMetrics.format()
      assert.include(page, "pool=\"x\\\"} 1\\\\; drop<script>\"")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})
