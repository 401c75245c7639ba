import { PoolError } from "@effect-pools/core"
import {
  type WebSocketConfig,
  type WebSocketConnector,
  type WebSocketInbound,
  WebSocketPool,
  WebSocketScript
} from "@effect-pools/websocket"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Metric, Random, Schema, Stream } from "effect"
import { Socket } from "effect/socket"
import { TestClock } from "effect/testing"
import {
  barred,
  bodyOf,
  Chat,
  Note,
  noteOptions,
  Notes,
  quietly,
  reasonOf,
  settled,
  watch,
  withScript
} from "./support.ts"

const echo: WebSocketScript.Answer = (message) => [message]

const misuse = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    return defect instanceof PoolError.PoolMisuse ? defect.rule : assert.fail(`no misuse: ${String(exit)}`)
  })

describe("a connection", () => {
  it.effect("sends, and has the messages that arrive while it is lent", () =>
    withScript(
      echo,
      Chat.withConnection((connection) =>
        Effect.gen(function*() {
          yield* connection.send("a")
          yield* connection.send(new Uint8Array([1, 2]))
          const messages = yield* Stream.runCollect(Stream.take(connection.messages, 2))
          assert.deepStrictEqual(messages, ["a", new Uint8Array([1, 2])])
          assert.deepStrictEqual([connection.id, connection.protocol], [1, ""])
        })
      )
    ))

  it.effect("has the protocol that the server chose", () =>
    withScript(
      echo,
      Chat.withConnection((connection) => Effect.sync(() => assert.strictEqual(connection.protocol, "chat.v2"))),
      { protocols: ["chat.v2", "chat.v1"] }
    ))

  it.effect("is of no use after its lease", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        const kept = yield* Chat.withConnection(Effect.succeed)
        assert.match(yield* misuse(kept.send("late")), /after its lease/)
        assert.match(yield* misuse(kept.request("late")), /after its lease/)
        assert.match(yield* misuse(Stream.runDrain(kept.messages)), /after its lease/)
        assert.match(yield* misuse(kept.close()), /after its lease/)
      })
    ))

  it.effect("that is shared has no messages of its own", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        assert.match(yield* misuse(Chat.withShared((connection) => Stream.runDrain(connection.messages))), /shared/)
        assert.match(
          yield* misuse(Chat.withShared((connection) => connection.request("a"))),
          /needs a correlation/
        )
      })
    ))

  it.effect("leaves what its borrower did not read to the pool", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        const { seen } = yield* watch(Chat.messages)
        yield* Chat.withConnection((connection) => connection.send("unread"))
        yield* settled
        assert.deepStrictEqual(seen, [{ _tag: "Message", connection: 1, message: "unread" }])
      })
    ))

  it.effect("that its borrower closes is replaced", () => {
    const server = WebSocketScript.make(echo)
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.withConnection((connection) => connection.close(4000, "bye"))
        assert.deepStrictEqual(server.connections(), [])
        assert.strictEqual(yield* Chat.withConnection(({ id }) => Effect.succeed(id)), 2)
      })
    )
  })

  it.effect("is closed with a code that a client may use, and a reason that fits", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Chat.inbound)
        for (const code of [999, 1006, 1008, 5000, 3000.5]) {
          const rule = yield* misuse(Chat.withConnection((connection) => connection.close(code)))
          assert.match(rule, /close code/)
        }
        yield* Chat.withConnection((connection) => connection.close(3000, "ä".repeat(100)))
        yield* settled
        assert.deepInclude(seen.at(-1), { _tag: "Closed", code: 3000, reason: "ä".repeat(61) })
      })
    )
  })

  it.effect("whose borrower is interrupted in the middle of a conversation is replaced", () =>
    withScript(
      () => [],
      Effect.gen(function*() {
        const talk = yield* Effect.forkChild(
          Chat.withConnection((connection) => Effect.andThen(connection.send("question"), Effect.never))
        )
        yield* settled
        yield* Fiber.interrupt(talk)
        yield* settled
        const { counts } = yield* Chat.stats
        assert.strictEqual(counts.retired.broken, 1)
      })
    ))

  it.effect("whose borrower is interrupted without having said anything stays", () =>
    withScript(
      () => [],
      Effect.gen(function*() {
        const listener = yield* Effect.forkChild(
          Chat.withConnection((connection) => Stream.runDrain(connection.messages))
        )
        yield* settled
        yield* Fiber.interrupt(listener)
        assert.strictEqual((yield* Chat.stats).idle, 1)
      })
    ))

  it.effect("fails its messages with the close code when the server closes it", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Chat.withConnection((connection) =>
        Effect.gen(function*() {
          const end = yield* Effect.forkChild(reasonOf(Stream.runDrain(connection.messages)))
          yield* settled
          server.push("last")
          server.close(1011, "x".repeat(200))
          const reason = yield* Fiber.join(end)
          assert.isTrue(reason._tag === "Closed" && reason.code === 1011 && reason.closeReason.length === 123)
          const refused = yield* reasonOf(connection.send("more"))
          assert.isTrue(refused._tag === "Closed" && refused.delivery === "none")
        })
      )
    )
  })
})

describe("a request", () => {
  it.effect("without a correlation is answered by the next message", () =>
    withScript(
      (message) => [`re: ${String(message)}`],
      Effect.gen(function*() {
        assert.strictEqual(yield* Chat.request("a"), "re: a")
        const both = yield* Chat.withConnection((connection) =>
          Effect.all([connection.request("b"), connection.request("c")], { concurrency: 2 })
        )
        assert.deepStrictEqual(both, ["re: b", "re: c"])
      })
    ))

  it.effect("that the wire does not take is a defect, and is waited for by nobody", () =>
    withScript(
      (message) => {
        if (String(message).includes("unfit")) throw new Error("the wire is broken")
        return undefined
      },
      Chat.withConnection((connection) =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(connection.request("unfit"))
          assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("the wire is broken"))
          assert.notInclude((yield* Chat.connections)[0]?.activity ?? "", "under way")
        })
      )
    ))

  it.effect("without a correlation that is abandoned costs the connection, since its reply may still come", () =>
    withScript(
      () => [],
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(reasonOf(Chat.request("a", { timeout: "1 second" })))
        yield* settled
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(asked))._tag, "RequestTimeout")
        assert.strictEqual((yield* Chat.stats).counts.retired.broken, 1)
      })
    ))

  it.effect("that is given up inside of its lease costs the connection as well", () =>
    withScript(
      () => [],
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(
          Chat.withConnection((connection) => Effect.timeoutOption(connection.request("a"), "1 second"))
        )
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(asked)
        assert.strictEqual((yield* Chat.stats).counts.retired.broken, 1)
      })
    ))

  it.effect("finds its reply by its id, whatever the order, with many on one connection", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(
          Effect.forEach(["a", "b", "c"], (body) => Chat.request(body), { concurrency: "unbounded" })
        )
        yield* settled
        assert.strictEqual(server.connections().length, 1)
        for (const { message } of server.received.toReversed()) server.push(message)
        assert.deepStrictEqual((yield* Fiber.join(asked)).map(bodyOf), ["a", "b", "c"])
      }),
      { correlation: barred, maxConnections: 1 }
    )
  })

  it.effect("waits for requestTimeout, or its own timeout, and a late reply is nobody else's", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Chat.messages)
        const slow = yield* Effect.forkChild(reasonOf(Chat.request("slow")))
        const quick = yield* Effect.forkChild(reasonOf(Chat.request("quick", { timeout: "1 second" })))
        yield* settled
        yield* TestClock.adjust("1 second")
        const quickReason = yield* Fiber.join(quick)
        assert.isTrue(quickReason._tag === "RequestTimeout" && quickReason.waited === 1000)
        assert.isUndefined(slow.pollUnsafe())
        yield* TestClock.adjust("2 seconds")
        const slowReason = yield* Fiber.join(slow)
        assert.isTrue(slowReason._tag === "RequestTimeout" && slowReason.waited === 3000 && slowReason.isRetryable)
        const next = yield* Effect.forkChild(Chat.request("next"))
        yield* settled
        server.push(server.received[0]!.message)
        server.push(server.received[2]!.message)
        assert.strictEqual(bodyOf(yield* Fiber.join(next)), "next")
        assert.deepStrictEqual(seen.map(({ message }) => bodyOf(message)), ["slow"])
      }),
      { correlation: barred, requestTimeout: "3 seconds", maxConnections: 1 }
    )
  })

  it.effect("on a connection that is not read says so when it times out", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Chat.withConnection((connection) =>
        Effect.gen(function*() {
          server.push("fills the inbox")
          const asked = yield* Effect.forkChild(reasonOf(connection.request("a")))
          yield* settled
          yield* TestClock.adjust("30 seconds")
          const reason = yield* Fiber.join(asked)
          assert.isTrue(reason._tag === "RequestTimeout" && reason.wasSuspended)
        })
      ),
      { inboundCapacity: 1 }
    )
  })

  it.effect("that is interrupted leaves a shared connection to the others", () =>
    withScript(
      () => [],
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Chat.request("a"))
        yield* settled
        yield* Fiber.interrupt(asked)
        assert.strictEqual((yield* Chat.stats).idle, 1)
      }),
      { correlation: barred }
    ))

  it.effect("under way when the connection ends is told so at once", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Effect.flip(Chat.request("a")))
        yield* settled
        server.close(1001)
        const error = yield* Fiber.join(asked)
        assert.isTrue(error.reason._tag === "Closed" && error.reason.delivery === "unknown")
      }),
      { correlation: barred }
    )
  })

  it.effect("survives a correlation that throws on a message", () => {
    const server = WebSocketScript.make()
    const correlation = {
      ...barred,
      idOf: (message: WebSocketConfig.RawMessage) => message === "bad" ? assert.fail("bad") : barred.idOf(message)
    }
    return withScript(
      server,
      Effect.gen(function*() {
        const asked = yield* Effect.forkChild(Chat.request("a"))
        yield* settled
        server.push("bad")
        server.push(server.received[0]!.message)
        assert.strictEqual(bodyOf(yield* Fiber.join(asked)), "a")
      }),
      { correlation }
    )
  })

  it.effect("shares a connection with as many as sharing allows", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 5 }), () => Chat.request("a"), { concurrency: "unbounded" })
        )
        yield* settled
        assert.strictEqual(server.received.length, 2)
        assert.strictEqual((yield* Chat.stats).pending, 3)
      }),
      { correlation: barred, maxConnections: 1, sharing: 2 }
    )
  })
})

describe("messages with a schema", () => {
  const withNotes = <A, E>(
    script: WebSocketScript.Script | WebSocketScript.Answer,
    test: Effect.Effect<A, E, Notes | Socket.Socket>
  ): Effect.Effect<A, E> => Effect.provide(test, Notes.layerTest(script, noteOptions)).pipe(quietly)

  it.effect("are encoded and decoded", () =>
    withNotes(
      (message) => {
        const note = JSON.parse(String(message))
        return [JSON.stringify({ ...note, text: note.text.toUpperCase() })]
      },
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Notes.request({ text: "hi" }), { id: "1", text: "HI" })
      })
    ))

  it.effect("that do not fit are the sender's error, and not sent", () => {
    const server = WebSocketScript.make()
    return withNotes(
      server,
      Effect.gen(function*() {
        const error = yield* Effect.flip(Notes.send({ text: 1 as never }))
        assert.isTrue(error.reason._tag === "EncodeFailed" && /text/.test(error.reason.issue))
        assert.deepStrictEqual(server.received, [])
      })
    )
  })

  it.effect("that do not decode are told, counted and dropped, without a word of what they are", () => {
    const server = WebSocketScript.make()
    return withNotes(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Notes.inbound)
        yield* Notes.send({ text: "hi" })
        server.push("secret, not JSON")
        server.push(JSON.stringify({ text: 12345 }))
        server.push(JSON.stringify({ text: "fine" }))
        yield* settled
        assert.deepStrictEqual(seen.map(({ _tag }) => _tag), ["Opened", "Undecodable", "Undecodable", "Message"])
        assert.notMatch(JSON.stringify(seen), /secret|12345/)
        assert.include((seen[2] as WebSocketInbound.Undecodable).issue, "expected string at [\"text\"]")
        assert.deepStrictEqual(yield* Notes.traffic, { sent: 1, received: 3, undecodable: 2, dropped: 0, unread: 0 })
      })
    )
  })

  it.effect("that do not decode and answer a request are its error", () =>
    Effect.gen(function*() {
      const reason = yield* reasonOf(Notes.withConnection((connection) => connection.request({ text: "hi" })))
      assert.strictEqual(reason._tag, "DecodeFailed")
    }).pipe(
      Effect.provide(Notes.layerTest(() => ["nonsense"], { schema: noteOptions.schema })),
      quietly
    ))

  const undecodable = (
    frame: (id: string) => string | Uint8Array,
    correlation: WebSocketConfig.Correlation<Note> = noteOptions.correlation
  ) => {
    const server = WebSocketScript.make()
    return Effect.gen(function*() {
      const asked = yield* Effect.forkChild(reasonOf(Notes.request({ text: "hi" })))
      const other = yield* Effect.forkChild(Notes.request({ text: "ho" }))
      yield* settled
      server.push("not about any of them")
      server.push(frame("1"))
      yield* settled
      const reason = yield* Fiber.join(asked)
      server.push(JSON.stringify({ id: "2", text: "HO" }))
      assert.deepStrictEqual(yield* Fiber.join(other), { id: "2", text: "HO" })
      return reason
    }).pipe(Effect.provide(Notes.layerTest(server, { ...noteOptions, correlation })), quietly)
  }

  it.effect("that do not decode and carry the id of a request fail that request at once, and no other", () =>
    Effect.gen(function*() {
      const reason = yield* undecodable((id) => JSON.stringify({ id, text: 12345 }))
      assert.isTrue(reason._tag === "DecodeFailed" && reason.issue === "expected string at [\"text\"]")
    }))

  it.effect("that do not decode and are no JSON fail the request that idOfFrame finds", () =>
    Effect.gen(function*() {
      const reason = yield* undecodable((id) => Buffer.from([Number(id), 0]), {
        ...noteOptions.correlation,
        idOfFrame: (frame) => typeof frame === "string" ? assert.fail("no id") : String(frame[0])
      })
      assert.strictEqual(reason._tag, "DecodeFailed")
    }))

  it.effect("go through the socket as they are on the wire", () =>
    withNotes(
      echo,
      Effect.scoped(Effect.gen(function*() {
        const { pull } = yield* (yield* Socket.Socket).reader
        const { write } = yield* (yield* Socket.Socket).writer
        yield* write("not JSON")
        assert.deepStrictEqual(yield* pull, ["not JSON"])
      }))
    ))
})

describe("what comes in", () => {
  it.effect("is read by every reader, with the connections that come and go", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const first = yield* watch(Chat.inbound)
        const second = yield* watch(Chat.messages)
        yield* Chat.warmUp(2)
        server.push("to both")
        server.close(1001, "restart", 1)
        yield* settled
        const messages = [1, 2].map((connection) => ({ _tag: "Message", connection, message: "to both" }))
        assert.deepStrictEqual(second.seen, messages as typeof second.seen)
        assert.deepStrictEqual(first.seen as Array<unknown>, [
          { _tag: "Opened", connection: 1 },
          { _tag: "Opened", connection: 2 },
          ...messages,
          { _tag: "Closed", connection: 1, code: 1001, reason: "restart" }
        ])
      }),
      { maxConnections: 2 }
    )
  })

  it.effect("before the first reader is kept for it, the latest inboundCapacity", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        for (const message of ["a", "b", "c"]) server.push(message)
        const { fiber, seen } = yield* watch(Chat.messages)
        assert.deepStrictEqual(seen.map(({ message }) => message), ["b", "c"])
        yield* Fiber.interrupt(fiber)
        server.push("nobody's")
        const later = yield* watch(Chat.messages)
        assert.deepStrictEqual(later.seen, [])
        assert.strictEqual((yield* Chat.traffic).unread, 3)
      }),
      { inboundCapacity: 2 }
    )
  })

  it.effect("faster than it is read holds the connection, until the reader has caught up", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        const seen: Array<unknown> = []
        yield* Effect.forkChild(Stream.runForEach(Chat.messages, ({ message }) => {
          seen.push(message)
          return Effect.sleep("1 second")
        }))
        yield* settled
        for (const message of ["a", "b", "c", "d", "e"]) server.push(message)
        assert.strictEqual((yield* Chat.traffic).received, 3, "one at the reader, two that wait")
        assert.include((yield* Chat.connections)[0]?.activity ?? "", "suspended")
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(seen, ["a", "b", "c", "d", "e"])
      }),
      { inboundCapacity: 2 }
    )
  })

  it.effect("faster than it is read loses the oldest under dropOldest, and the reader is told", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        const seen: Array<unknown> = []
        yield* Effect.forkChild(Stream.runForEach(Chat.inbound, (item) => {
          seen.push(item._tag === "Message" ? item.message : item)
          return Effect.sleep("1 second")
        }))
        yield* settled
        for (const message of ["a", "b", "c", "d", "e"]) server.push(message)
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(seen, [
          { _tag: "Opened", connection: 1 },
          { _tag: "Dropped", connection: 1, count: 3 },
          "d",
          "e"
        ])
        assert.strictEqual((yield* Chat.traffic).dropped, 3)
      }),
      { inboundCapacity: 2, inboundPolicy: "dropOldest" }
    )
  })

  it.effect("faster than it is read closes the connection under close", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        const seen: Array<WebSocketInbound.Inbound<unknown>> = []
        yield* Effect.forkChild(Stream.runForEach(Chat.inbound, (item) => {
          seen.push(item)
          return Effect.sleep("1 second")
        }))
        yield* settled
        for (const message of ["a", "b", "c"]) server.push(message)
        assert.deepStrictEqual(server.connections(), [])
        yield* TestClock.adjust("10 seconds")
        assert.deepInclude(seen[3], { _tag: "Closed", code: 1008 })
      }),
      { inboundCapacity: 2, inboundPolicy: "close" }
    )
  })

  it.effect("on a connection that is lent follows the same policies", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.withConnection((connection) =>
          Effect.gen(function*() {
            for (const message of ["a", "b", "c"]) server.push(message)
            assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(connection.messages, 2)), ["b", "c"])
          })
        )
        assert.strictEqual((yield* Chat.traffic).dropped, 1)
      }),
      { inboundCapacity: 2, inboundPolicy: "dropOldest" }
    )
  })

  it.effect("for a slow borrower stays held when another reader catches up", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(2)
        const { seen } = yield* watch(Chat.messages)
        yield* Chat.withConnection(({ id }) =>
          Effect.gen(function*() {
            for (const message of ["a", "b", "c"]) server.push(message, id)
            server.push("other", 3 - id)
            yield* settled
            assert.strictEqual(seen.length, 1)
            assert.strictEqual((yield* Chat.traffic).received, 3)
          })
        )
        yield* settled
        assert.strictEqual(seen.length, 4)
      }),
      { inboundCapacity: 2, maxConnections: 2 }
    )
  })

  it.effect("is counted in the metrics, unless they are off", () => {
    const server = WebSocketScript.make()
    const registry = new Map()
    const test = (metrics: boolean) =>
      withScript(
        server,
        Effect.gen(function*() {
          yield* Chat.send("a")
          return (yield* Metric.snapshot).filter(({ id }) => id === "websocket_pool_messages_total")
        }),
        { metrics }
      ).pipe(Effect.provideService(Metric.MetricRegistry, registry))
    return Effect.gen(function*() {
      const series = yield* test(true)
      const sent = series.find(({ attributes }) => attributes?.["what"] === "sent")
      assert.deepInclude(sent?.attributes, { pool: "app/Chat" })
      assert.deepInclude(sent?.state, { count: 1 })
      assert.strictEqual(series.length, 5)
      assert.deepStrictEqual(yield* test(false), [])
    })
  })

  it.effect("ends with the pool", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        const { fiber } = yield* watch(Chat.messages)
        yield* Chat.drain
        yield* Fiber.join(fiber)
      })
    ))
})

describe("a broadcast", () => {
  it.effect("reaches every open connection, also those that are lent, and tells of each", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Chat.broadcast("nobody"), [])
        yield* Chat.warmUp(3)
        const results = yield* Chat.withConnection(() => Chat.broadcast("all"))
        assert.deepStrictEqual(results.map(({ connection, result }) => [connection, result._tag]), [
          [1, "Success"],
          [2, "Success"],
          [3, "Success"]
        ])
        assert.deepStrictEqual(server.received.map(({ connection }) => connection), [1, 2, 3])
      })
    )
  })
})

describe("the heartbeat", () => {
  it.effect("retires a connection whose peer sends nothing within pongTimeout after a ping", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* Chat.stats).idle, 1)
        server.silence(true)
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual((yield* Chat.stats).idle, 1, "before pongTimeout")
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Chat.stats).counts.retired.broken, 1)
      }),
      { pingInterval: "10 seconds", pongTimeout: "2 seconds", idleTimeout: "1 hour" }
    )
  })

  it.effect("tells who waits on the connection", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        server.silence(true)
        const asked = yield* Effect.forkChild(reasonOf(Chat.request("a")))
        yield* settled
        yield* TestClock.adjust("12 seconds")
        const reason = yield* Fiber.join(asked)
        assert.isTrue(reason._tag === "HeartbeatMissed" && reason.delivery === "unknown")
      }),
      { pingInterval: "10 seconds", pongTimeout: "2 seconds", correlation: barred }
    )
  })

  it.effect("takes any message for a sign of life", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.warmUp(1)
        server.silence(true)
        yield* TestClock.adjust("11 seconds")
        server.push("alive")
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Chat.stats).idle, 1)
      }),
      { pingInterval: "10 seconds", pongTimeout: "2 seconds" }
    )
  })

  it.effect("may be messages of the application, whose replies nobody else sees", () => {
    let answers = true
    const server = WebSocketScript.make((message) => message === "ping" && answers ? ["pong"] : [])
    return withScript(
      server,
      Effect.gen(function*() {
        const { seen } = yield* watch(Chat.messages)
        yield* Chat.warmUp(1)
        yield* TestClock.adjust("25 seconds")
        assert.deepStrictEqual(server.received.map(({ message }) => message), ["ping", "ping"])
        assert.deepStrictEqual(seen, [])
        answers = false
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* Chat.stats).counts.retired.broken, 1)
      }),
      {
        pingInterval: "10 seconds",
        pongTimeout: "2 seconds",
        keepAlive: { message: "ping", isReply: (message) => message === "pong" }
      }
    )
  })

  it.effect("validates by a round trip", () => {
    const server = WebSocketScript.make(echo)
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.request("a")
        server.silence(true)
        const asked = yield* Effect.forkChild(Chat.request("b"))
        yield* TestClock.adjust("999 millis")
        server.silence(false)
        assert.strictEqual((yield* Chat.stats).counts.validated, 0)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(yield* Fiber.join(asked), "b")
        assert.strictEqual((yield* Chat.stats).counts.retired.invalid, 1)
      }),
      { freshnessWindow: 0 }
    )
  })
})

/** Makes every delay the middle of its range, so that the waits of one run can be compared. */
const evenChances: Random.Random = { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => 0.5 }

describe("a connection that the server ends", () => {
  const onlyMessage = { minConnections: 1, connectRate: 1000 } as const

  it.effect("after stableAfter is replaced at once", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* TestClock.adjust("5 seconds")
        server.close(1012)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(server.connections(), [2])
      }),
      onlyMessage
    )
  })

  it.effect("sooner counts as a dial that failed, and more in a row make the pool wait longer", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        const waits: Array<number> = []
        for (let round = 0; round < 3; round++) {
          yield* TestClock.adjust("1 millis")
          server.close(1011)
          let waited = 0
          while (server.connections().length === 0) {
            yield* TestClock.adjust("100 millis")
            waited += 100
          }
          waits.push(waited)
        }
        assert.isAtLeast(waits[0]!, 700)
        assert.isAbove(waits[1]!, waits[0]!)
        assert.isAbove(waits[2]!, waits[1]!)
        assert.isAtLeast((yield* Chat.stats).counts.failedToOpen, 6)
        yield* TestClock.adjust("6 seconds")
        server.close(1011)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(server.connections().length, 1, "a stable one begins anew")
      }),
      onlyMessage
    ).pipe(Effect.provideService(Random.Random, evenChances))
  })

  it.effect("is as stable as stableAfter says", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* TestClock.adjust("30 seconds")
        server.close(1011)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(server.connections(), [])
        assert.strictEqual((yield* Chat.stats).counts.failedToOpen, 1)
      }),
      { ...onlyMessage, stableAfter: "1 minute" }
    )
  })

  it.effect("together with others says the same thing once", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* settled
        assert.strictEqual(server.connections().length, 3)
        server.close(1011)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Chat.stats).counts.failedToOpen, 1)
      }),
      { ...onlyMessage, minConnections: 3 }
    )
  })

  it.effect("with a code that says never is not replaced, and callers are told why", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* TestClock.adjust("1 minute")
        server.close(4001, "who are you?")
        yield* TestClock.adjust("10 minutes")
        assert.deepStrictEqual(server.connections(), [])
        const asked = yield* Effect.forkChild(Effect.flip(Chat.request("a")))
        yield* TestClock.adjust("10 seconds")
        const error = yield* Fiber.join(asked)
        assert.isTrue(error._tag === "PoolError" && error.reason._tag === "ConnectFailed" && !error.isRetryable)
        assert.include(error.message, "who are you?")
      }),
      { ...onlyMessage, breaker: { minimumDials: 1000 } }
    )
  })

  it.effect("is judged by closeCodes if given", () => {
    const server = WebSocketScript.make()
    return withScript(
      server,
      Effect.gen(function*() {
        yield* TestClock.adjust("1 minute")
        server.close(4001)
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(server.connections(), [2])
        yield* TestClock.adjust("1 minute")
        server.close(1000)
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(server.connections(), [])
      }),
      { ...onlyMessage, closeCodes: (code) => code === 1000 ? "never" : "reconnect" }
    )
  })
})

describe("onOpen", () => {
  it.effect("runs with each new connection before anybody else, and hears the answers", () => {
    const server = WebSocketScript.make((message) => message === "hello" ? ["welcome", "news"] : [message])
    const welcomes: Array<unknown> = []
    return withScript(
      server,
      Effect.gen(function*() {
        yield* Chat.request("a")
        server.cut()
        const asked = yield* Effect.forkChild(Chat.request("b"))
        yield* settled
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* Fiber.join(asked), "b")
        assert.deepStrictEqual(welcomes, ["welcome", "welcome"])
        assert.deepStrictEqual(server.received.map(({ connection, message }) => `${connection} ${String(message)}`), [
          "1 hello",
          "1 a",
          "2 hello",
          "2 b"
        ])
        const { seen } = yield* watch(Chat.messages)
        assert.deepStrictEqual(seen.map(({ message }) => message), ["news", "news"], "what it left is the pool's")
      }),
      { onOpen: (connection) => Effect.map(connection.request("hello"), (reply) => welcomes.push(reply)) }
    )
  })

  it.effect("that fails is a dial that failed", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        const error = yield* Effect.flip(Chat.request("a"))
        assert.isTrue(error._tag === "PoolError" && error.reason._tag === "ConnectFailed" && !error.isRetryable)
        assert.include(error.message, "not today")
      }),
      { onOpen: () => Effect.fail(Object.assign(new Error("not today"), { isRetryable: false })) }
    ))

  it.effect("can't keep the connection", () => {
    let kept: WebSocketConnector.WebSocketConnection<WebSocketConfig.RawMessage> | undefined
    return withScript(
      echo,
      Effect.gen(function*() {
        yield* Chat.request("a")
        assert.match(yield* misuse(kept!.send("late")), /after its lease/)
      }),
      { onOpen: (connection) => Effect.sync(() => void (kept = connection)) }
    )
  })
})

describe("the socket of a pool", () => {
  it.effect("has a connection for each reader, and gives it back with its scope", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        const socket = yield* Socket.Socket
        const { write } = yield* Effect.scoped(socket.writer)
        const early = yield* Effect.forkChild(write("early"))
        yield* settled
        yield* Effect.scoped(Effect.gen(function*() {
          const { pull } = yield* socket.reader
          assert.deepStrictEqual(yield* pull, ["early"])
          assert.strictEqual((yield* Chat.stats).used, 1)
          yield* write(new Socket.CloseEvent(4000, "bye"))
          const { reason } = yield* Effect.flip(pull)
          assert.isTrue(reason._tag === "SocketCloseError" && reason.code === 4000 && reason.closeReason === "bye")
        }))
        yield* Fiber.join(early)
        assert.strictEqual((yield* Chat.stats).used, 0)
      })
    ))

  it.effect("is told when the pool drains", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        const socket = yield* Chat.socket
        const session = yield* Effect.forkChild(
          Effect.flip(Effect.scoped(Effect.flatMap(socket.reader, ({ pull }) => pull)))
        )
        yield* settled
        const report = yield* Chat.drain
        const { reason } = yield* Fiber.join(session)
        assert.isTrue(reason._tag === "SocketCloseError" && reason.code === 1001)
        assert.deepStrictEqual(report.abandoned, [])
      })
    ))

  it.effect("that can't have a connection fails to open", () =>
    withScript(
      echo,
      Effect.gen(function*() {
        yield* Chat.pause
        const { reason } = yield* Effect.flip(Effect.scoped((yield* Socket.Socket).reader))
        assert.strictEqual(reason._tag, "SocketOpenError")
      })
    ))

  it.effect("of one connection ends with its lease", () =>
    withScript(
      echo,
      Chat.withConnection((connection) =>
        Effect.scoped(Effect.gen(function*() {
          const socket = WebSocketPool.toSocket(connection)
          const { pull } = yield* socket.reader
          const { writeAll } = yield* socket.writer
          yield* writeAll(["a", "b"])
          assert.deepStrictEqual(yield* pull, ["a", "b"])
        }))
      )
    ))
})

describe("the types", () => {
  it("of a class with messages of its own demand a schema", () => {
    // @ts-expect-error: the schema is missing
    const missing: WebSocketConfig.WebSocketOptions<Note> = { url: "ws://a" }
    const given: WebSocketConfig.WebSocketOptions<Note> = { url: "ws://a", schema: Schema.fromJsonString(Note) }
    const ask: Effect.Effect<Note, unknown, Notes> = Notes.request({ text: "a" })
    assert.isDefined([missing, given, ask])
  })
})
