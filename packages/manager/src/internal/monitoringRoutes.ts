/**
 * Adds the routes of `MonitoringApi` to a router, each behind the guard.
 */
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Scope from "effect/Scope"
import type { Manager } from "../Manager.ts"
import { actRoutes } from "./actRoutes.ts"
import { readDashboard } from "./dashboardFiles.ts"
import { Feed } from "./feed.ts"
import { guard } from "./guard.ts"
import type { CheckedRoutes } from "./monitoringOptions.ts"
import { pageRoutes } from "./pageRoutes.ts"
import { probes, readRoutes } from "./readRoutes.ts"

export const addRoutes = Effect.fnUntraced(function*(
  router: HttpRouter.HttpRouter,
  manager: Manager,
  options: CheckedRoutes
): Effect.fn.Return<Feed, never, Scope.Scope> {
  const actions = options.token !== undefined
  const feed = yield* Feed.make(manager, { ...options, actions })
  const guarded = guard(options)
  const routes = [
    ...probes(manager),
    ...readRoutes(manager, feed, actions),
    ...(actions ? actRoutes(manager) : []),
    ...(options.dashboard ? pageRoutes(yield* readDashboard(), options.prefix) : [])
  ]
  yield* Effect.forEach(
    routes,
    ({ access, handler, method, path }) =>
      router.add(method, `${options.prefix}${path}` as `/${string}`, guarded(access, handler)),
    { discard: true }
  )
  return feed
})
