import { PoolError } from "@effect-pools/core"
import { TcpProxy, TestCertificate } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { RateLimiter } from "effect/persistence"
import { inspect } from "node:util"
import { Mailer, send } from "../external-smtp/Mailer.ts"
import * as MailServer from "../external-smtp/server.ts"
import type { Letter } from "../external-smtp/Session.ts"
import { allMeetTheBreaker, eventually, isBreakerOpen, limits, quick, run } from "./external-support.ts"

const password = "canary-31c0"

const letter = (n: number, to = `customer${n}@example.com`): Letter => ({
  from: "shop@example.com",
  to,
  subject: `Order ${n}`,
  text: `Thank you for order ${n}.`
})

type Parts = { readonly server: MailServer.MailServer; readonly proxy: TcpProxy.TcpProxy }

/** Runs a test with a server, a proxy in front of it and a pool, of which nothing may be left. */
const withMailer = <A, E>(
  test: (parts: Parts) => Effect.Effect<A, E, Mailer | RateLimiter.RateLimiter | Scope.Scope>,
  options: Parameters<typeof Mailer.to>[1] & { readonly password?: string } = {}
) =>
  Effect.gen(function*() {
    const { password: given = password, ...pool } = options
    const server = yield* MailServer.make("shop", password)
    const proxy = yield* TcpProxy.make(server)
    const scope = yield* Scope.make()
    const to = { host: "localhost", port: proxy.port, user: "shop", ca: TestCertificate.certificate }
    const mailer = Mailer.to({ ...to, password: Redacted.make(given) }, { ...quick, ...pool })
    const context = yield* Layer.buildWithScope(Layer.merge(mailer, limits), scope)
    const exit = yield* Effect.exit(Effect.provideContext(Effect.scoped(test({ server, proxy })), context))
    yield* Scope.close(scope, Exit.void)
    const { counts } = yield* Context.get(context, Mailer).stats
    assert.strictEqual(counts.opened - counts.closed, 0)
    yield* eventually("the server has no connection left", Effect.sync(() => server.connections() === 0))
    return yield* exit
  }).pipe(Effect.scoped)

describe("external-smtp", () => {
  it.live("letters share a few sessions", () =>
    withMailer(({ server }) =>
      Effect.gen(function*() {
        yield* Effect.all(Array.from({ length: 30 }, (_, n) => send(letter(n))), { concurrency: "unbounded" })
        assert.strictEqual(new Set(server.letters).size, 30)
        assert.isAtMost((yield* Mailer.stats).counts.opened, 3)
      })
    ))

  it.live("a letter beyond the rate waits, and holds no session meanwhile", () =>
    withMailer(({ server }) =>
      Effect.gen(function*() {
        const minute = Duration.minutes(1)
        const asked: Array<string> = []
        const limiter = {
          ...yield* RateLimiter.RateLimiter,
          consume: ({ key }: { readonly key: string }) =>
            Effect.sync(() => {
              asked.push(key)
              return { delay: minute, limit: 20, remaining: 0, resetAfter: minute }
            })
        }
        yield* Effect.forkScoped(Effect.provideService(send(letter(1)), RateLimiter.RateLimiter, limiter))
        yield* eventually("it has asked", Effect.sync(() => asked.length === 1))
        yield* send(letter(2))
        assert.deepStrictEqual(asked, ["smtp"])
        const { counts, pending, used } = yield* Mailer.stats
        assert.deepStrictEqual([used, pending, counts.ended.success, server.letters.length], [0, 0, 1, 1])
      })
    ))

  it.live("a refused letter is an error with its reply, and the session is clean for the next", () =>
    withMailer(({ server }) =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(send(letter(1, "nobody@example.com")))
        assert.include(error, { _tag: "SmtpError", reply: 550, isRetryable: false })
        yield* send(letter(2))
        assert.strictEqual(server.letters.length, 1)
        assert.strictEqual((yield* Mailer.stats).counts.opened, 1)
      }), { maxConnections: 1 }))

  it.live("a line break in a subject does not become a header", () =>
    withMailer(({ server }) =>
      Effect.gen(function*() {
        yield* send({ ...letter(1), subject: "Grüße\r\nBcc: everybody@example.com" })
        assert.notInclude(server.letters[0], "\r\nBcc:")
      })
    ))

  it.live("a letter that is interrupted costs its session, and the next one arrives whole", () =>
    withMailer(({ proxy, server }) =>
      Effect.gen(function*() {
        yield* send(letter(1))
        yield* proxy.blackhole(true)
        const fiber = yield* Effect.forkChild(send(letter(2)), { startImmediately: true })
        yield* eventually("it is being sent", Effect.map(Mailer.stats, ({ used }) => used === 1))
        yield* Fiber.interrupt(fiber)
        yield* proxy.blackhole(false)
        yield* send(letter(3))
        assert.include(server.letters.at(-1), "order 3.")
        const { counts } = yield* Mailer.stats
        assert.deepStrictEqual([counts.retired.broken, counts.failedToReset], [1, 0])
      }), { maxConnections: 1 }))

  it.live("a session that the server has ended while idle is replaced before a letter meets it", () =>
    withMailer(({ proxy }) =>
      Effect.gen(function*() {
        for (const end of [proxy.fin, proxy.cut]) {
          yield* send(letter(1))
          yield* end
          yield* eventually("it is gone", Effect.map(proxy.connections, (n) => n === 0))
          yield* send(letter(2))
        }
        assert.strictEqual((yield* Mailer.stats).counts.ended.failure, 0)
      }), { maxConnections: 1, freshnessWindow: 0 }))

  it.live("a wrong password fails at once, is not tried again and is told to nobody", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(withMailer(() => Effect.void, { password: "canary-wrong" }))
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.isTrue(error instanceof PoolError.PoolError && error.reason._tag === "ConnectFailed")
      assert.include((error as PoolError.PoolError).reason, { isRetryable: false, attempts: 1 })
      assert.notInclude(inspect(error, { depth: Infinity, showHidden: true }), "canary")
    }))

  it.live("sessions tell nobody the password", () =>
    withMailer(() =>
      Effect.gen(function*() {
        yield* Mailer.withConnection((session) =>
          Effect.sync(() => assert.notInclude(inspect(session, { depth: Infinity, showHidden: true }), "canary"))
        )
        assert.notInclude(JSON.stringify(yield* Mailer.connections), "canary")
      })
    ))

  it.live("a server that turns sessions away is left alone by the open breaker, and found again", () =>
    withMailer(({ proxy, server }) =>
      Effect.gen(function*() {
        yield* send(letter(1))
        server.turnAway(true)
        yield* proxy.cut
        yield* eventually("the breaker is open", Effect.map(Effect.flip(send(letter(2))), isBreakerOpen))
        const visits = server.visits()
        assert.isTrue(yield* allMeetTheBreaker(Mailer.withConnection(() => Effect.void)))
        assert.strictEqual(server.visits(), visits)
        server.turnAway(false)
        yield* eventually("the pool has found it", Effect.map(Mailer.stats, ({ idle }) => idle === 1))
        yield* send(letter(4))
      })
    ))

  it.live("a server that is killed and comes back is found again without traffic", () =>
    withMailer(({ proxy, server }) =>
      Effect.gen(function*() {
        yield* send(letter(1))
        yield* proxy.down
        yield* eventually("the breaker is open", Effect.map(Effect.flip(send(letter(2))), isBreakerOpen))
        yield* proxy.up
        yield* eventually("the pool has found it", Effect.map(Mailer.stats, ({ idle }) => idle === 1))
        yield* send(letter(3))
        assert.include(server.letters.at(-1), "order 3.")
      })
    ))

  it.live("the program ends by itself", () =>
    Effect.gen(function*() {
      const output = yield* run("external-smtp")
      assert.include(output, "30 letters were accepted over 3 sessions")
      assert.include(output, "0 left open")
    }))
})
