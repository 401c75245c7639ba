/**
 * The routes of the dashboard's files.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { securityHeaders } from "./reply.ts"
import { type Handler, type Route, route } from "./route.ts"

type Response = HttpServerResponse.HttpServerResponse

export const pageRoutes = (files: ReadonlyMap<string, Response>, prefix: string): ReadonlyArray<Route> =>
  Array.from(
    files,
    ([path, response]) =>
      route("GET", path as `/${string}`, "open", path === "/" ? page(response, prefix) : Effect.succeed(response))
  )

/** The page refers to its files relatively: without the slash at the end they would be looked for beside the prefix. */
const page = (response: Response, prefix: string): Handler => {
  const moved = HttpServerResponse.empty({ status: 308, headers: { ...securityHeaders, location: `${prefix}/` } })
  return Effect.map(
    HttpServerRequest.HttpServerRequest,
    ({ originalUrl }) => /^[^?#]*\/(?:[?#]|$)/.test(originalUrl) ? response : moved
  )
}
