import { assert, describe, it } from "@effect/vitest"
import { BalancedPool, ConnectionPool, ResourcePool } from "@effect-pools/core"
import { Context, Effect, Fiber, Layer, LayerMap, Logger, References, Scope, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { settle } from "./utils/bench.ts"

interface Seen {
  readonly span: string | undefined
  readonly annotations: unknown
  readonly transaction: boolean
}

const seen = (into: Array<Seen>) =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.sync(() => {
      const span = Context.getOrUndefined(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
      into.push({
        span: span?._tag === "Span" ? span.name : undefined,
        annotations: context.mapUnsafe.get(References.CurrentLogAnnotations.key) ?? {},
        transaction: context.mapUnsafe.has(Transaction.key)
      })
      return { id: into.length }
    })
  )

class Transaction extends Context.Service<Transaction, string>()("@effect-pools/postgres/Transaction/7") {}

class Mail extends ResourcePool.Service<Mail, { readonly id: number }>()("test/Mail") {}

/** A request with all that it puts into its context. */
const request = (id: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.provideService(Transaction, id),
    Effect.withSpan(`request ${id}`),
    Effect.annotateLogs({ user: id })
  )

const nothing: Seen = { span: undefined, annotations: {}, transaction: false }

describe("the pool of a tenant", () => {
  it.effect("that the first request makes dials and logs in nobody's name", () => {
    const dials: Array<Seen> = []
    const logs: Array<unknown> = []
    class Tenants extends LayerMap.Service<Tenants>()("test/Tenants", {
      lookup: (tenant: string) =>
        Mail.layer({ acquire: seen(dials), name: `mail/${tenant}`, minConnections: 0, leakTimeout: 50 }),
      idleTimeToLive: "5 minutes"
    }) {}
    const send = Mail.withConnection(() => Effect.sleep(100)).pipe(Effect.provide(Tenants.get("a")))
    const logger = Logger.make(({ fiber }) => void logs.push(fiber.getRef(References.CurrentLogAnnotations)))
    return Effect.gen(function*() {
      for (const id of ["first", "second"]) {
        const both = yield* Effect.forkChild(request(id)(Effect.all([send, send, send], { concurrency: 3 })))
        yield* settle
        yield* TestClock.adjust(100)
        yield* settle
        yield* Fiber.await(both)
      }
      yield* settle
      assert.deepStrictEqual(dials, [nothing, nothing, nothing])
      assert.isAbove(logs.length, 2)
      for (const annotations of logs) assert.deepStrictEqual(annotations, { pool: "mail/a" })
    }).pipe(Effect.provide(Layer.merge(Tenants.layer, Logger.layer([logger]))))
  })
})

describe("a pool made inside a request", () => {
  it.effect("dials, checks and resets outside it", () => {
    const steps: Array<Seen> = []
    const step = seen(steps)
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* request("first")(
        ConnectionPool.make({ connect: () => step, validate: () => step }, {
          minConnections: 2,
          healthCheck: "30 seconds"
        })
      ).pipe(Scope.provide(scope))
      const balanced = yield* request("first")(BalancedPool.make([{ pool }])).pipe(Scope.provide(scope))
      yield* TestClock.adjust("1 minute")
      yield* settle
      assert.isAbove(steps.length, 2)
      for (const each of steps) assert.deepStrictEqual(each, nothing)
      yield* balanced.withConnection(() => Effect.void)
    })
  })

  it.effect("keeps the services that its resources are made from, and a lease runs in the borrower's context", () =>
    Effect.gen(function*() {
      class Password extends Context.Service<Password, string>()("test/Password") {}
      const pool = yield* Effect.provideService(
        ResourcePool.make({ acquire: Password, minConnections: 0 }),
        Password,
        "secret"
      )
      const lent = yield* pool.withConnection((password) =>
        Effect.map(Effect.currentSpan, ({ name }) => [password, name])
      ).pipe(
        Effect.withSpan("borrower")
      )
      assert.deepStrictEqual(lent, ["secret", "borrower"])
    }))
})
