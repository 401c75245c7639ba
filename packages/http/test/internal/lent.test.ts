import { assert, it } from "@effect/vitest"
import type { Connection } from "../../src/internal/connection.ts"
import { Exchange } from "../../src/internal/exchange.ts"
import { LentConnection } from "../../src/internal/lent.ts"

it("the rest of a body is read away after its lease, though the server was stopped for its reader", () => {
  let isPaused = false
  const controller = {
    aborted: false,
    paused: false,
    reason: null,
    abort: () => assert.fail("the connection is closed"),
    pause: () => void (isPaused = true),
    resume: () => void (isPaused = false)
  }
  const exchange = new Exchange()
  exchange.onRequestStart(controller)
  exchange.onResponseStart(undefined, 200, { "content-length": String(96 * 1024) })
  exchange.onResponseData(controller, new Uint8Array(80 * 1024))
  assert.isTrue(isPaused)
  const lease = new LentConnection({ isMultiplexed: false } as Connection)
  lease.exchanges = new Set([exchange])
  lease.end()
  assert.isFalse(isPaused)
})
