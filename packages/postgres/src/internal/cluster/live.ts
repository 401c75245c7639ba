/**
 * A cluster of real servers.
 */
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as Effect from "effect/Effect"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as PgConnector from "../connector.ts"
import type * as Runtime from "../runtime.ts"
import type { ClusterOptions } from "./model.ts"
import * as Options from "./options.ts"
import * as Probe from "./probe.ts"
import * as ClusterRuntime from "./runtime.ts"

export const make = (
  id: string,
  options: ClusterOptions
): Effect.Effect<Runtime.Pool, PoolError | InvalidOption, Scope.Scope | Reactivity.Reactivity> =>
  Effect.flatMap(
    Options.plan(options, id),
    (plan) =>
      ClusterRuntime.make(plan, termsOf(id, options), {
        connector: (_, kit) => PgConnector.make(kit),
        source: ({ settings }) => Probe.server({ ...settings, applicationName: `${settings.applicationName} watch` })
      })
  )

export const termsOf = (
  id: string,
  { metrics, minConnections, name, startup, startupTimeout }: Partial<ClusterOptions>
): ClusterRuntime.Terms => ({
  name: name ?? id,
  metrics: metrics !== false,
  startup: startup === "lazy"
    ? undefined
    : { within: OptionRules.millisOf(startupTimeout) ?? 10_000, connections: minConnections }
})
