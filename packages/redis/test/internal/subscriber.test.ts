import { PoolError } from "@effect-pools/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Schedule, Scheduler, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Inbox } from "../../src/internal/inbox.ts"
import * as Subscriber from "../../src/internal/subscriber.ts"
import type { Topic } from "../../src/internal/topic.ts"
import { CommandFailed, ConnectionLost, RedisError } from "../../src/RedisError.ts"
import { type Element, Message } from "../../src/RedisSubscription.ts"

const channel = (name: string): Topic => ({ kind: "channel", name })

/** A server that can be lost, refuse, be silent and be down. */
class FakeServer {
  opened = 0
  open = 0
  /** What the server has confirmed on the line of the moment. */
  readonly subscribed = new Set<string>()
  refuses: string | undefined
  /** It confirms this one only when it is told to. */
  holds: string | undefined
  readonly held = Latch.makeUnsafe(false)
  /** It confirms, and answers no ping. */
  isDeaf = false
  downWith: PoolError.PoolError | RedisError | undefined
  private listener: Subscriber.Listener | undefined
  private lost: Deferred.Deferred<void> = Deferred.makeUnsafe()

  readonly openLine: Subscriber.OpenLine = (listener) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        if (this.downWith !== undefined) return Effect.fail(this.downWith)
        this.opened++
        this.open++
        this.listener = listener
        this.lost = Deferred.makeUnsafe()
        this.subscribed.clear()
        const line: Subscriber.Line = {
          subscribe: ({ kind, name }) =>
            Effect.suspend(() => {
              if (this.refuses === name) return Effect.fail(refusal)
              this.subscribed.add(`${kind}:${name}`)
              return this.holds === name ? this.held.await : Effect.void
            }),
          unsubscribe: ({ kind, name }) => Effect.sync(() => void this.subscribed.delete(`${kind}:${name}`)),
          ping: Effect.suspend(() => this.isDeaf ? Effect.never : Effect.void),
          lost: Deferred.await(this.lost)
        }
        return Effect.succeed(line)
      }),
      () => Effect.sync(() => void this.open--)
    )

  publish(name: string, text: string): void {
    this.listener?.onMessage(channel(name), new Message(name, undefined, Buffer.from(text)))
  }

  drop(name: string): void {
    this.listener?.onDropped(channel(name))
  }

  readonly lose = Effect.suspend(() => Deferred.succeed(this.lost, undefined))
}

const refusal = new RedisError({
  command: "SUBSCRIBE",
  reason: new CommandFailed({ code: "NOPERM", description: "this user has no permissions" })
})

const poolError = (reason: PoolError.PoolErrorReason) => new PoolError.PoolError({ pool: "test", reason })

const start = (server: FakeServer, options?: Partial<Subscriber.SubscriberConfig>) =>
  Subscriber.make({
    name: "test",
    retry: Schedule.spaced("2 seconds"),
    healthCheck: Schedule.spaced("30 seconds"),
    validateTimeout: 1000,
    ...options
  }, server.openLine)

const settled = TestClock.adjust(0)

const show = (element: Element): string => {
  switch (element._tag) {
    case "Subscribed":
      return `subscribed ${element.at}`
    case "Message":
      return `${element.channel} ${element.message}`
    case "Gap":
      return `${element.because} gap ${element.lostAt}-${element.resumedAt} ${element.missed ?? "?"}`
  }
}

/** What waits in an inbox; nothing if nothing does. */
const read = (inbox: Inbox) =>
  Effect.gen(function*() {
    yield* settled
    const fiber = yield* Effect.forkChild(inbox.take, { startImmediately: true })
    const exit = fiber.pollUnsafe()
    yield* Fiber.interrupt(fiber)
    return exit === undefined ? [] : (yield* exit).map(show)
  })

/** Joins, and gives way before this operation to the end of what it joins. Tells whether there were so many. */
const joinThatGivesWay = (before: number, isEnd: boolean) =>
  Effect.gen(function*() {
    const server = new FakeServer()
    const subscriber = yield* start(server)
    yield* subscriber.join([channel("a")], 10)
    yield* settled
    yield* TestClock.adjust("2 seconds")
    const end = Effect.suspend(() => {
      if (isEnd) return subscriber.end
      server.downWith = poolError(new PoolError.PoolClosed({ state: "closed" }))
      return server.lose
    })
    const turns = Effect.repeat(Effect.yieldNow, { times: 30 })
    const live = yield* Scheduler.Scheduler
    const fork = Effect.runForkWith(yield* Effect.context<never>())
    let operations = 0
    let isGivingWay = false
    const scheduler: Scheduler.Scheduler = {
      executionMode: live.executionMode,
      shouldYield: () => isGivingWay = ++operations === before,
      makeDispatcher: () => {
        const dispatcher = live.makeDispatcher()
        const scheduleTask: typeof dispatcher.scheduleTask = (task, priority) => {
          if (!isGivingWay) return dispatcher.scheduleTask(task, priority)
          isGivingWay = false
          fork(Effect.andThen(end, turns)).addObserver(task)
        }
        return { scheduleTask, flush: () => dispatcher.flush() }
      }
    }
    const joining = subscriber.join([channel("b")], 10)
    const joined = yield* Effect.forkScoped(Effect.provideService(joining, Scheduler.Scheduler, scheduler))
    const inbox = yield* Fiber.join(joined)
    if (operations < before) return false
    const reading = yield* Effect.forkScoped(Effect.forever(inbox.take))
    yield* Effect.repeat(settled, { times: 20 })
    const exit = reading.pollUnsafe()
    assert.isTrue(exit !== undefined && Exit.isFailure(exit), `before operation ${before}`)
    return true
  }).pipe(Effect.scoped)

describe("Subscriber", () => {
  it.effect("tells of its beginning, then of every message", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 10)
      assert.deepStrictEqual(yield* read(inbox), ["subscribed 0"])
      server.publish("a", "1")
      server.publish("b", "2")
      server.publish("a", "3")
      assert.deepStrictEqual(yield* read(inbox), ["a 1", "a 3"])
      assert.deepStrictEqual(yield* read(inbox), [])
    }))

  it.effect("nothing comes before the beginning, which is when all topics are confirmed", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.holds = "b"
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a"), channel("b")], 10)
      yield* settled
      server.publish("a", "early")
      assert.deepStrictEqual(yield* read(inbox), [])
      yield* server.held.open
      assert.deepStrictEqual(yield* read(inbox), ["subscribed 0"])
      server.publish("a", "1")
      assert.deepStrictEqual(yield* read(inbox), ["a 1"])
    }))

  it.effect("all subscribers share one connection, and the last one gives it back", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      const one = yield* Scope.provide(subscriber.join([channel("a"), channel("b")], 10), first)
      const two = yield* Scope.provide(subscriber.join([channel("a")], 10), second)
      yield* read(one)
      yield* read(two)
      server.publish("a", "1")
      assert.deepStrictEqual([yield* read(one), yield* read(two)], [["a 1"], ["a 1"]])
      assert.deepStrictEqual([server.opened, server.open], [1, 1])
      yield* Scope.close(first, Exit.void)
      yield* settled
      assert.deepStrictEqual(Array.from(server.subscribed), ["channel:a"])
      yield* Scope.close(second, Exit.void)
      yield* settled
      assert.deepStrictEqual([server.opened, server.open], [1, 0])
    }))

  it.effect("no subscriber, no connection; and one later has a connection again", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      yield* settled
      assert.strictEqual(server.opened, 0)
      yield* Effect.scoped(Effect.flatMap(subscriber.join([channel("a")], 10), read))
      yield* Effect.scoped(Effect.flatMap(subscriber.join([channel("a")], 10), read))
      assert.deepStrictEqual([server.opened, server.open], [2, 0])
    }))

  it.effect("a lost connection is replaced at once, and the gap is told", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a"), channel("b")], 10)
      yield* read(inbox)
      yield* TestClock.adjust("10 seconds")
      server.publish("a", "1")
      yield* server.lose
      assert.deepStrictEqual(yield* read(inbox), ["a 1", "connection gap 10000-10000 ?"])
      assert.deepStrictEqual(Array.from(server.subscribed), ["channel:a", "channel:b"])
      server.publish("b", "2")
      assert.deepStrictEqual(yield* read(inbox), ["b 2"])
    }))

  it.effect("in an outage it tries again after the delays of the schedule, and the gap is as long as the outage", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server, {
        retry: Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 2 }))
      })
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      yield* TestClock.adjust("10 seconds")
      server.downWith = poolError(new PoolError.PoolPaused())
      yield* server.lose
      yield* TestClock.adjust("20 seconds")
      server.downWith = undefined
      assert.deepStrictEqual(yield* read(inbox), [])
      yield* TestClock.adjust("2 seconds")
      const [gap] = yield* read(inbox)
      assert.match(gap!, /^connection gap 0-3[0-2]000 \?$/)
      assert.strictEqual(server.opened, 2)
    }))

  it.effect("a schedule that says never keeps no subscription from coming back", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server, { retry: Schedule.spaced(Infinity) })
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      server.downWith = poolError(new PoolError.PoolPaused())
      yield* server.lose
      yield* TestClock.adjust("10 seconds")
      server.downWith = undefined
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(server.opened, 2)
    }))

  it.effect("a connection that dies again and again is not reopened without a pause", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      yield* server.lose
      yield* read(inbox)
      assert.strictEqual(server.opened, 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(server.opened, 2)
    }))

  it.effect("a connection that does not answer is given up", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      yield* TestClock.adjust("30 seconds")
      server.isDeaf = true
      yield* TestClock.adjust("30 seconds")
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(server.opened, 1)
      yield* TestClock.adjust("1 millis")
      // It may have been dead since it last answered.
      assert.deepStrictEqual(yield* read(inbox), ["connection gap 30000-61000 ?"])
      assert.strictEqual(server.opened, 2)
    }))

  it.effect("a subscription that has not begun fails when no connection can be had; others wait", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const early = yield* subscriber.join([channel("a")], 10)
      yield* read(early)
      server.downWith = poolError(new PoolError.PoolPaused())
      yield* server.lose
      yield* settled
      const late = yield* subscriber.join([channel("a")], 10)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Effect.flip(late.take), server.downWith)
      server.downWith = undefined
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* read(early), ["connection gap 0-4000 ?"])
    }))

  it.effect("what can't be mended ends all subscriptions, and later ones try anew", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      server.publish("a", "last")
      server.downWith = poolError(new PoolError.PoolClosed({ state: "closed" }))
      yield* TestClock.adjust("10 seconds")
      yield* server.lose
      assert.deepStrictEqual(yield* read(inbox), ["a last"])
      assert.strictEqual(yield* Effect.flip(inbox.take), server.downWith)
      server.downWith = undefined
      const next = yield* subscriber.join([channel("a")], 10)
      assert.deepStrictEqual(yield* read(next), ["subscribed 10000"])
    }))

  it.effect("a topic that is refused fails those who want it, and nobody else", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      server.refuses = "secret"
      const subscriber = yield* start(server)
      const refused = yield* subscriber.join([channel("a"), channel("secret")], 10)
      const fine = yield* subscriber.join([channel("a")], 10)
      assert.strictEqual(yield* Effect.flip(read(refused)), refusal)
      assert.deepStrictEqual(yield* read(fine), ["subscribed 0"])
      assert.strictEqual(server.opened, 1)
    }))

  it.effect("a topic that the server drops is subscribed to again, and the gap is told", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const dropped = yield* subscriber.join([channel("a")], 10)
      const other = yield* subscriber.join([channel("b")], 10)
      yield* read(dropped)
      yield* read(other)
      server.subscribed.delete("channel:a")
      server.drop("a")
      assert.deepStrictEqual([yield* read(dropped), yield* read(other)], [["connection gap 0-0 ?"], []])
      assert.isTrue(server.subscribed.has("channel:a"))
      assert.strictEqual(server.opened, 1)
    }))

  it.effect("a connection lost while it subscribes is no refusal", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      server.downWith = new RedisError({
        command: "SUBSCRIBE",
        reason: new ConnectionLost({ wasSent: true, description: "reset", isRetryable: true })
      })
      yield* server.lose
      yield* TestClock.adjust("2 seconds")
      server.downWith = undefined
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* read(inbox), ["connection gap 0-4000 ?"])
    }))

  it.effect("a slow reader loses the oldest messages, and learns how many", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 3)
      yield* settled
      yield* TestClock.adjust("7 millis")
      for (const text of ["1", "2", "3", "4", "5"]) server.publish("a", text)
      assert.deepStrictEqual(yield* read(inbox), ["subscribed 0", "buffer gap 7-7 2", "a 3", "a 4", "a 5"])
    }))

  it.effect("a gap that is dropped is part of the gap that tells of it", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 2)
      yield* read(inbox)
      yield* TestClock.adjust("2 seconds")
      server.publish("a", "0")
      yield* server.lose
      yield* TestClock.adjust("1 second")
      for (const text of ["1", "2", "3"]) server.publish("a", text)
      assert.deepStrictEqual(yield* read(inbox), ["connection gap 3000-3000 ?", "a 2", "a 3"])
    }))

  it.effect("the end of the pool ends subscriptions and gives the connection back first", () =>
    Effect.gen(function*() {
      const server = new FakeServer()
      const subscriber = yield* start(server)
      const inbox = yield* subscriber.join([channel("a")], 10)
      yield* read(inbox)
      yield* subscriber.end
      assert.strictEqual(server.open, 0)
      for (const ended of [inbox, yield* subscriber.join([channel("a")], 10)]) {
        const error = yield* Effect.flip(ended.take)
        assert(error._tag === "PoolError" && error.reason._tag === "PoolClosed")
      }
    }))

  // A fiber gives way after so many operations, wherever it is.
  for (const gone of ["ends", "can't give a connection for good"]) {
    it.effect(`who subscribes while the pool ${gone} is told of it`, () =>
      Effect.gen(function*() {
        let before = 1
        while (yield* joinThatGivesWay(before, gone === "ends")) before++
        assert.isAbove(before, 10)
      }))
  }
})
