/**
 * A pool of SMTP sessions, over a client library that knows nothing of pools: three sessions carry the letters of
 * thirty senders at the rate that the provider allows. Then the server goes away: callers learn it at once, because the
 * breaker around dials opens; and it comes back: the pool finds out by itself.
 *
 * node --conditions=@effect-pools/source examples/external-smtp/main.ts
 */
import { NodeRuntime } from "@effect/platform-node"
import { TcpProxy, TestCertificate } from "@effect-pools/testing"
import { Console, Effect, Layer, Redacted, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import { Mailer, send } from "./Mailer.ts"
import * as MailServer from "./server.ts"

const letter = (n: number) => ({
  from: "shop@example.com",
  to: `customer${n}@example.com`,
  subject: `Order ${n}`,
  text: "Thank you!"
})

const burst = Effect.gen(function*() {
  const answers = yield* Effect.forEach(Array.from({ length: 30 }, (_, n) => n), (n) => send(letter(n)), {
    concurrency: "unbounded"
  })
  const { counts } = yield* Mailer.stats
  yield* Console.log(`${answers.length} letters were accepted over ${counts.opened} sessions`)
})

const attempt = Effect.gen(function*() {
  const error = yield* Effect.flip(send(letter(0)))
  yield* Console.log(`${error._tag}: ${error.message}`)
  return error._tag === "PoolError" && error.reason._tag === "BreakerOpen"
})

const outage = Effect.fnUntraced(function*(proxy: TcpProxy.TcpProxy) {
  yield* proxy.down
  yield* Console.log("-- the server is gone")
  yield* Effect.repeat(attempt, { until: (isOpen) => isOpen })
  yield* proxy.up
  yield* Console.log("-- the server is back")
  yield* Effect.retry(send(letter(0)), { schedule: Schedule.spaced("100 millis"), times: 100 })
  yield* Console.log(`a letter was accepted; the breaker is ${(yield* Mailer.stats).breaker}`)
})

const program = Effect.gen(function*() {
  const server = yield* MailServer.make("shop", "open sesame")
  const proxy = yield* TcpProxy.make(server)
  const mailer = Mailer.to({
    host: "localhost",
    port: proxy.port,
    user: "shop",
    password: Redacted.make("open sesame"),
    ca: TestCertificate.certificate
  }, {
    maxConnections: 3,
    retry: Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 2 })),
    breaker: { minimumDials: 3, openDuration: "500 millis" }
  })
  yield* Effect.gen(function*() {
    yield* burst
    yield* outage(proxy)
    const { closed } = yield* Mailer.drain
    const { counts } = yield* Mailer.stats
    yield* Console.log(`drained: ${closed} closed, ${counts.opened - counts.closed} left open`)
  }).pipe(Effect.provide(mailer))
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory))
)

NodeRuntime.runMain(program)
