import { assert, describe, layer } from "@effect/vitest"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Duration, Effect, Schedule } from "effect"

const { EmbeddedPostgres: Postgres } = EmbeddedPostgres

const primary = layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })

const count = ({ query }: EmbeddedPostgres.Instance) =>
  Effect.map(query("SELECT count(*)::int AS count FROM note"), ([row]) => row?.["count"])

const reaches = (server: EmbeddedPostgres.Instance, expected: number) =>
  count(server).pipe(
    Effect.orElseSucceed(() => undefined),
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (seen: unknown) => seen === expected }),
    Effect.timeout("20 seconds")
  )

describe("EmbeddedPostgres.replica", () => {
  primary((it) => {
    it.effect(
      "follows its primary, refuses writes, and catches up after a crash of either",
      () =>
        Effect.gen(function*() {
          const server = yield* Postgres
          yield* server.query("CREATE TABLE note (text text)")
          yield* server.query("INSERT INTO note VALUES ('before the replica')")
          const replica = yield* EmbeddedPostgres.replica(server)
          assert.notStrictEqual(replica.port, server.port)
          yield* reaches(replica, 1)
          const refused = yield* Effect.flip(replica.query("INSERT INTO note VALUES ('refused')"))
          assert.match(refused.message + String(refused.reason.cause), /read-only/)

          yield* replica.kill9
          yield* server.query("INSERT INTO note VALUES ('while the replica is down')")
          yield* replica.start
          yield* reaches(replica, 2)

          yield* server.restart
          yield* server.query("INSERT INTO note VALUES ('after the primary crashed')")
          yield* reaches(replica, 3)
        }),
      60_000
    )

    it.effect(
      "is as late as it is told, and after a promotion another replica follows it",
      () =>
        Effect.gen(function*() {
          const server = yield* EmbeddedPostgres.make()
          const first = yield* EmbeddedPostgres.replica(server)
          const second = yield* EmbeddedPostgres.replica(server)
          yield* server.query("CREATE TABLE note (text text)")
          yield* reaches(first, 0)
          yield* reaches(second, 0)

          yield* first.pauseReplay
          yield* second.delayReplay("500 millis")
          yield* server.query("INSERT INTO note VALUES ('late')")
          const [took] = yield* Effect.timed(reaches(second, 1))
          assert.isAbove(Duration.toMillis(took), 300)
          assert.strictEqual(yield* count(first), 0)
          yield* first.resumeReplay
          yield* reaches(first, 1)

          yield* second.delayReplay(0)
          yield* server.kill9
          yield* first.promote
          yield* first.query("INSERT INTO note VALUES ('to the new primary')")
          yield* second.follow(first)
          yield* reaches(second, 2)
        }),
      60_000
    )

    it.effect("is made only from a server of this module", () =>
      Effect.gen(function*() {
        const server = yield* Postgres
        const error = yield* Effect.flip(EmbeddedPostgres.replica({ ...server }))
        assert.strictEqual(error.step, "replicate")
      }))
  })
})
