import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Connection } from "../../src/internal/connection.ts"
import { Exchange } from "../../src/internal/exchange.ts"
import { KeepAlive } from "../../src/internal/keepAlive.ts"
import * as Options from "../../src/internal/options.ts"
import { Watch } from "../../src/internal/watch.ts"
import type { Wire } from "../../src/internal/wire.ts"

const wire: Wire = {
  protocol: "HTTP/1.1",
  origin: "http://test",
  address: "test",
  maxStreams: 1,
  isOpen: () => true,
  bytesRead: () => 0,
  dispatch: () => {}
}

const answered = (keepAlive: string | undefined): Exchange =>
  Object.assign(new Exchange(), { step: "done", status: 200, headers: { "keep-alive": keepAlive } })

describe("what the server says of idle connections", () => {
  it.effect("is heeded less the margin of the options, and forgotten when it is no longer said", () =>
    Effect.gen(function*() {
      const { members } = Result.getOrThrow(
        Options.check({ origin: "http://test", keepAliveMargin: "2 seconds" }, "test")
      )
      const { settings } = members[0]!
      const connection = new Connection(wire, {
        signals: { onBroken: () => {}, onEnded: () => {} },
        asked: () => {},
        watch: yield* Watch.make(settings),
        keepAlive: yield* KeepAlive.make,
        keepAliveMargin: settings.keepAliveMargin,
        maxResponseSize: settings.maxResponseSize
      })
      connection.settle(answered("timeout=10"))
      assert.strictEqual(connection.keepAlive, 8000)
      assert.strictEqual(connection.idleSince, 0)
      connection.settle(answered(undefined))
      assert.strictEqual(connection.keepAlive, Infinity)
      connection.settle(answered("timeout=0"))
      assert.isTrue(connection.isEnded)
    }))
})
