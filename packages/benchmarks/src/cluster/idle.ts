/** Real time without traffic: no replica may ever be out. */
import { Console, Effect } from "effect"
import { Db, live, servers } from "./world.ts"

/** Fails when a replica was out at any look. */
export const idle = (seconds: number): Effect.Effect<void, unknown> =>
  Effect.gen(function*() {
    const own = yield* servers(3)
    yield* Effect.gen(function*() {
      let looks = 0
      let out = 0
      for (const until = performance.now() + seconds * 1_000; performance.now() < until; looks++) {
        const nodes = yield* Db.nodes
        out += nodes.filter(({ isIn, role }) => role === "replica" && !isIn).length
        yield* Effect.sleep("100 millis")
      }
      yield* Console.log(`${seconds} s without traffic, ${looks} looks at three replicas: ${out} times out`)
      if (out > 0) return yield* Effect.die(new Error("a replica was out"))
    }).pipe(Effect.provide(live(own)))
  }).pipe(Effect.scoped)
