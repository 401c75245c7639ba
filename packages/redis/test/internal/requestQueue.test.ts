import { assert, it } from "@effect/vitest"
import { Request } from "../../src/internal/request.ts"
import { RequestQueue } from "../../src/internal/requestQueue.ts"

const make = (name: string) => new Request(name, [], () => {})

it("requests leave the queue in the order they came, also when it was empty in between", () => {
  const queue = new RequestQueue()
  const [a, b, c] = [make("A"), make("B"), make("C")]
  assert.isUndefined(queue.shift())
  queue.push(a)
  queue.push(b)
  assert.strictEqual(queue.size, 2)
  assert.strictEqual(queue.first, a)
  assert.strictEqual(queue.shift(), a)
  queue.push(a)
  assert.deepStrictEqual([queue.shift(), queue.shift(), queue.shift()], [b, a, undefined])
  queue.push(c)
  assert.deepStrictEqual([queue.first, queue.shift(), queue.first], [c, c, undefined])
  assert.strictEqual(queue.size, 0)
})
