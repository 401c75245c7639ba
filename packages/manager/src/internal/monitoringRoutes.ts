/**
 * Adds the routes of `MonitoringApi` to a router, each behind the guard.
 */
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type { Manager } from "../Manager.ts"
import { actRoutes } from "./actRoutes.ts"
import { readDashboard } from "./dashboardFiles.ts"
import { Feed } from "./feed.ts"
import { guard } from "./guard.ts"
import type { CheckedRoutes } from "./monitoringOptions.ts"
import { pageRoutes } from "./pageRoutes.ts"
import { probes, readRoutes } from "./readRoutes.ts"
import { failure } from "./reply.ts"
import { type Route, route } from "./route.ts"

/** Facts that only a server of its own has. */
interface Place {
  /** Whether the program is on its way out. */
  readonly isEnding?: () => boolean
  /** Whether no other routes are below the prefix. */
  readonly ownsAllPaths?: boolean
}

export const addRoutes = Effect.fnUntraced(function*(
  router: HttpRouter.HttpRouter,
  manager: Manager,
  options: CheckedRoutes,
  { isEnding = () => false, ownsAllPaths = false }: Place = {}
): Effect.fn.Return<Feed, never, Scope.Scope> {
  const actions = options.token !== undefined
  const feed = yield* Feed.make(manager, { ...options, actions })
  const guarded = guard(options)
  const routes = [
    ...probes(manager, isEnding),
    ...readRoutes(manager, feed, actions),
    ...(actions ? actRoutes(manager, { heartbeat: options.heartbeat, onAction: yield* feed.auditor }) : []),
    ...(options.dashboard ? pageRoutes(yield* readDashboard(), options.prefix) : [])
  ]
  yield* Effect.forEach(
    ownsAllPaths ? [...routes, ...wrongMethods(routes)] : routes,
    ({ access, handler, method, path }) =>
      router.add(method, `${options.prefix}${path}` as `/${string}`, guarded(access, handler)),
    { discard: true }
  )
  return feed
})

/** Refuses the methods that a path does not have. A server of somebody else's may have it for itself. */
const wrongMethods = (routes: ReadonlyArray<Route>): ReadonlyArray<Route> =>
  Array.from(Map.groupBy(routes, ({ path }) => path), ([path, there]): ReadonlyArray<Route> => {
    const allowed = there.flatMap(({ method }) => method === "GET" ? ["GET", "HEAD"] : [method])
    const body = failure("method-not-allowed", `this path takes ${allowed.join(" and ")}`)
    const handler = Effect.succeed(HttpServerResponse.setHeader(body, "allow", allowed.join(", ")))
    return methods.filter((method) => !allowed.includes(method)).map((method) => route(method, path, "open", handler))
  }).flat()

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const
