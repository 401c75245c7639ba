/**
 * Answers that may take longer than a silent connection lasts: a drain waits for borrowers, and a warm-up for dials.
 */
import { describeCause } from "@effect-pools/core/Describe"
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { failureBody, json, uncached } from "./reply.ts"

/**
 * An effect that is done within a `heartbeat` (ms) is answered as ever. After that the answer begins, with status 200
 * and a space each heartbeat, which JSON allows before a value: neither this server nor a proxy takes the connection
 * for dead. What fails from then on is told by the body alone. The work is never stopped because its client leaves.
 */
export const patiently = (
  work: Effect.Effect<unknown, PoolError>,
  heartbeat: number
): Effect.Effect<HttpServerResponse.HttpServerResponse, PoolError> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkDetach(work, { startImmediately: true })
    const early = yield* Effect.raceFirst(Fiber.await(fiber), Effect.as(Effect.sleep(heartbeat), undefined))
    if (early !== undefined) return json(yield* early)
    const late = Effect.map(
      Fiber.await(fiber),
      Exit.match({
        onSuccess: (body) => JSON.stringify(body),
        onFailure: (cause) => JSON.stringify(failureBody("conflict", describeCause(Cause.squash(cause))))
      })
    )
    const spaces = Stream.map(Stream.fromSchedule(Schedule.spaced(heartbeat)), () => " ")
    const body = Stream.merge(spaces, Stream.fromEffect(late), { haltStrategy: "right" })
    return HttpServerResponse.stream(Stream.encodeText(body), {
      contentType: "application/json",
      headers: { ...uncached, "x-accel-buffering": "no" }
    })
  })
