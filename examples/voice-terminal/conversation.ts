/**
 * One turn of a conversation: a user speaks into a terminal, and what was said is understood, stored and told to
 * whoever listens.
 *
 * Every step is tried again until it succeeds, so a server that is away for a moment costs time and nothing else; the
 * cache can be gone around, and the database itself goes around its replica.
 */
import { Consistency } from "@effect-pools/postgres"
import { Effect, Random, Schedule, Schema } from "effect"
import { Database } from "./Pools.ts"
import type { Tally } from "./Tally.ts"
import { apiRequest, cacheGet, cacheSet, query, readQuery, realtimeMessage } from "./VoiceTerminal.ts"

export const terminals = 1000

export const setUp = Database.withConnection((sql) =>
  Effect.gen(function*() {
    yield* sql`CREATE TABLE terminal (id int PRIMARY KEY, language text NOT NULL, turns int NOT NULL DEFAULT 0)`
    yield* sql`CREATE TABLE utterance (id uuid PRIMARY KEY, terminal int NOT NULL, text text NOT NULL)`
    yield* sql`INSERT INTO terminal SELECT id, 'en' FROM generate_series(1, ${terminals}::int) id`
  }), { label: "set up" })

/** Fails with a defect if a turn was stored twice, or served without being stored. */
export const audit = (tally: Tally) =>
  query<{ readonly stored: number; readonly counted: number }>`
    SELECT (SELECT count(*)::int FROM utterance) AS stored, (SELECT sum(turns)::int FROM terminal) AS counted`.pipe(
    Effect.flatMap(([row]) => {
      const { counted, stored } = row ?? { stored: 0, counted: 0 }
      return stored === counted && stored >= tally.served && stored <= tally.served + tally.lost
        ? Effect.void
        : Effect.die(new Error(`${tally.served} turns were served, ${stored} stored and ${counted} counted`))
    })
  )

export const turn = Effect.fnUntraced(function*(tally: Tally) {
  const terminal = yield* Random.nextIntBetween(1, terminals)
  const id = yield* Effect.sync(() => crypto.randomUUID())
  const again = persistently(tally)
  const language = yield* languageOf(tally, terminal)
  const heard = yield* again(
    "voice-api",
    Effect.withSpan(apiRequest("/v1/transcriptions", Transcription, speech), "hear")
  )
  yield* again("database", store(id, terminal, `${language}: ${heard.text}`))
  yield* again("realtime", Effect.withSpan(realtimeMessage({ type: "said", terminal, text: heard.text }), "tell"))
  // Its reads wait for its own writes alone, not for those of everybody who talks.
}, Consistency.session)

const Transcription = Schema.Struct({ text: Schema.String, confidence: Schema.Finite })

const speech = new Uint8Array(4096)

/** From the cache, else from the database: from the replica, or the primary while there is none. */
const languageOf = Effect.fnUntraced(function*(tally: Tally, terminal: number) {
  const key = `language:${terminal}`
  const around = noting(tally)
  const cached = yield* Effect.orElseSucceed(
    around("cache", Effect.withSpan(cacheGet(key), "look up")),
    () => undefined
  )
  if (cached !== undefined) return cached
  const stored = yield* persistently(tally)(
    "database",
    Effect.withSpan(readQuery<Row>`SELECT language FROM terminal WHERE id = ${terminal}`, "look up")
  )
  const language = stored[0]?.language ?? "en"
  yield* Effect.ignore(around("cache", Effect.withSpan(cacheSet(key, language, "5 seconds"), "remember")))
  return language
})

interface Row {
  readonly language: string
}

/** Storing the same utterance again changes nothing: whoever lost the answer to a commit may simply try again. */
const store = (id: string, terminal: number, text: string) =>
  Database.transaction((sql) =>
    Effect.gen(function*() {
      const stored = yield* sql`
        INSERT INTO utterance (id, terminal, text) VALUES (${id}::uuid, ${terminal}, ${text})
        ON CONFLICT DO NOTHING RETURNING id`
      if (stored.length > 0) yield* sql`UPDATE terminal SET turns = turns + 1 WHERE id = ${terminal}`
    }), { label: "store" })

const noting = (tally: Tally) => <A, E, R>(pool: string, effect: Effect.Effect<A, E, R>) =>
  Effect.tapError(effect, () => Effect.sync(() => tally.note(pool)))

const persistently = (tally: Tally) => <A, E, R>(pool: string, effect: Effect.Effect<A, E, R>) =>
  Effect.retry(noting(tally)(pool, effect), patience)

const patience = Schedule.spaced("200 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "20 seconds" }))
