/**
 * The parts of the monitoring's routes.
 */
import type { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Manager } from "../Manager.ts"
import type { Access } from "./guard.ts"
import type { ManagedPool } from "./managedPool.ts"
import { failure } from "./reply.ts"

type Response = HttpServerResponse.HttpServerResponse
export type Handler = Effect.Effect<Response, never, HttpRouter.Provided>

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS"
  readonly path: `/${string}`
  readonly access: Access
  readonly handler: Handler
}

export const route = (method: Route["method"], path: Route["path"], access: Access, handler: Handler): Route => ({
  method,
  path,
  access,
  handler
})

/** Finds the pool that the path names. */
export const withPool = (
  manager: Manager,
  f: (pool: ManagedPool) => Effect.Effect<Response, PoolError, HttpRouter.Provided>
): Handler =>
  Effect.gen(function*() {
    const { name = "" } = yield* HttpRouter.params
    return yield* f(yield* manager.get(name))
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed(
        error._tag === "UnknownPool"
          ? failure("not-found", `no pool is called ${JSON.stringify(error.pool)}`)
          : failure("conflict", error.message)
      )
    )
  )
