/**
 * A program written for Effect's own `SqlClient` runs on a pool unchanged: only the layer at the bottom is another.
 */
import { NodeRuntime } from "@effect/platform-node"
import { PostgresPool } from "@effect-pools/postgres"
import { Console, Effect, Layer } from "effect"
import { withServer } from "../support/database.ts"
import { Books } from "./Books.ts"

class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
  static readonly live = withServer((url) => this.layer({ url, maxConnections: 2 }))
}

const program = Effect.gen(function*() {
  const books = yield* Books
  yield* books.add("The Art of Computer Programming", 1968)
  yield* books.add("A Discipline of Programming", 1976)
  yield* Console.log((yield* books.before(1970)).map(({ title }) => title).join(", "))
  // What the program did went through the pool.
  yield* Console.log(`statements so far: ${(yield* PrimaryDb.stats).counts.ended.success}`)
})

program.pipe(Effect.provide(Layer.provideMerge(Books.layer, PrimaryDb.live)), NodeRuntime.runMain)
