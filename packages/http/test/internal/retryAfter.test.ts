import { assert, it } from "@effect/vitest"
import { Exchange } from "../../src/internal/exchange.ts"
import { asked } from "../../src/internal/retryAfter.ts"

const answered = (status: number, retryAfter?: string): Exchange =>
  Object.assign(new Exchange(), { status, headers: { "retry-after": retryAfter } })

it("Retry-After asks for seconds or until a date, and only with 429 and 503", () => {
  const now = Date.UTC(2030, 0, 1)
  assert.strictEqual(asked(answered(503, "2"), now), 2000)
  assert.strictEqual(asked(answered(429, " 10 "), now), 10_000)
  assert.strictEqual(asked(answered(503, "Tue, 01 Jan 2030 00:01:00 GMT"), now), 60_000)
  assert.strictEqual(asked(answered(503, "Tue, 01 Jan 2029 00:00:00 GMT"), now), 0)
  assert.strictEqual(asked(answered(503, "soon"), now), 0)
  assert.strictEqual(asked(answered(503), now), 0)
  assert.strictEqual(asked(answered(200, "2"), now), 0)
})
