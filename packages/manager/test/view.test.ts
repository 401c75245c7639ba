import { PoolConfig, type PoolEvent } from "@effect-pools/core"
import { MonitoringApi } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as View from "../src/internal/view.ts"

const common = { pool: "app/Db", at: 1 }
const ofConnection = { ...common, connection: 7 }
const secret = Object.assign(new Error("no route\r\nFORGED: a line\u001b[31m\u0007\u2028to host"), {
  password: "hunter2"
})
const report = {
  took: 1,
  served: 2,
  refused: 3,
  returned: 4,
  abandoned: [{ connection: 7, label: undefined, held: 5 }],
  closed: 6,
  closesTimedOut: 0
}

/** One of each: the compiler sees that none is missing. */
const events: { readonly [Tag in PoolEvent.PoolEvent["_tag"]]: Extract<PoolEvent.PoolEvent, { readonly _tag: Tag }> } =
  {
    Opened: { _tag: "Opened", ...ofConnection, took: 3 },
    OpenFailed: { _tag: "OpenFailed", ...ofConnection, cause: secret, attempt: 2, retryIn: 100 },
    Acquired: { _tag: "Acquired", ...ofConnection, label: undefined, waited: 1 },
    Released: { _tag: "Released", ...ofConnection, label: "a\nb", held: 1, end: "failure" },
    AcquiredSlowly: { _tag: "AcquiredSlowly", ...ofConnection, label: "x", waited: 2000 },
    AcquireTimedOut: { _tag: "AcquireTimedOut", ...common, label: "x", waited: 3000 },
    ValidateFailed: { _tag: "ValidateFailed", ...ofConnection, cause: "text" },
    ResetFailed: { _tag: "ResetFailed", ...ofConnection, cause: undefined },
    Retired: { _tag: "Retired", ...ofConnection, because: "superseded" },
    Closed: { _tag: "Closed", ...ofConnection, lived: 9 },
    CloseFailed: {
      _tag: "CloseFailed",
      ...ofConnection,
      cause: {
        toString: () => {
          throw new Error("no text")
        }
      }
    },
    LeakSuspected: { _tag: "LeakSuspected", ...ofConnection, label: "x", held: 60_000, takenAt: ["a\tb", "c"] },
    LeakEnded: { _tag: "LeakEnded", ...ofConnection, label: "x", held: 70_000 },
    Operated: {
      _tag: "Operated",
      ...ofConnection,
      kind: "select",
      end: "rejected",
      took: 3,
      text: "SELECT\n1",
      status: "22012",
      count: undefined
    },
    WarmedUp: { _tag: "WarmedUp", ...common, open: 2 },
    BreakerOpened: { _tag: "BreakerOpened", ...common, retryAfter: 5000 },
    BreakerClosed: { _tag: "BreakerClosed", ...common },
    BreakerStoreFailed: { _tag: "BreakerStoreFailed", ...common, cause: secret },
    HealthChecked: { _tag: "HealthChecked", ...common, checked: 2, failed: 1 },
    Paused: { _tag: "Paused", ...common },
    Resumed: { _tag: "Resumed", ...common },
    AllRetired: { _tag: "AllRetired", ...common, generation: 2 },
    LimitChanged: { _tag: "LimitChanged", ...common, limit: 3, from: 5, limitedBy: "setLimit", why: "somebody set it" },
    BudgetStoreLost: { _tag: "BudgetStoreLost", ...common, budget: "primary", cause: secret },
    BudgetStoreBack: { _tag: "BudgetStoreBack", ...common, budget: "primary", away: 30_000 },
    SheddingChanged: { _tag: "SheddingChanged", ...common, refused: { normal: 0.25, low: 0.5 } },
    DegradationChanged: { _tag: "DegradationChanged", ...common, level: 1, from: 0, isManual: false },
    QueueCleared: { _tag: "QueueCleared", ...common, failed: 3 },
    DrainStarted: { _tag: "DrainStarted", ...common },
    Drained: { _tag: "Drained", ...common, report },
    ClockLeapt: { _tag: "ClockLeapt", ...common, by: -3 },
    UpstreamEjected: { _tag: "UpstreamEjected", ...common, upstream: "u", because: "failureRate", forMillis: 30_000 },
    UpstreamReturned: { _tag: "UpstreamReturned", ...common, upstream: "u" },
    UpstreamJoined: { ...common, _tag: "UpstreamJoined", upstream: "a", weight: 1 },
    UpstreamLeft: { ...common, _tag: "UpstreamLeft", upstream: "a" },
    PrimaryChanged: { ...common, _tag: "PrimaryChanged", from: "a", to: undefined, timeline: 2 }
  }

const overTheWire = Schema.decodeUnknownSync(Schema.fromJsonString(MonitoringApi.PoolEvent))

describe("what is sent", () => {
  it.each(Object.values(events))("$_tag survives JSON in the shape of its schema", (event) => {
    const sent = View.event(event)
    assert.deepStrictEqual(overTheWire(JSON.stringify(sent)), sent)
    assert.deepStrictEqual([sent._tag, sent.pool, sent.at], [event._tag, "app/Db", 1])
  })

  it("a cause is its message on one line, and nothing that hangs on it", () => {
    const sent = JSON.stringify(View.event(events.OpenFailed))
    assert.include(sent, "\"cause\":\"no route  FORGED: a line [31m  to host\"")
    assert.notInclude(sent, "hunter2")
    const unreadable = View.event(events.CloseFailed)
    assert.strictEqual(unreadable._tag === "CloseFailed" && unreadable.cause, "an error that can't be read")
    const long = View.event({ ...events.ValidateFailed, cause: "x".repeat(1000) })
    assert.strictEqual(long._tag === "ValidateFailed" && long.cause.length, 300)
  })

  it.effect("the options of a pool have the shape of their schema, and no limit is null", () =>
    Effect.gen(function*() {
      const config = yield* PoolConfig.make({ name: "db" }, "app/Db", { reclaimTimeout: "5 minutes" })
      const sent = View.config(config)
      assert.deepStrictEqual(
        Schema.decodeUnknownSync(Schema.fromJsonString(MonitoringApi.Config))(JSON.stringify(sent)),
        sent
      )
      assert.deepStrictEqual([sent.maxUses, sent.reclaimTimeout, sent.acquireTimeout], [null, 300_000, 30_000])
    }))
})
