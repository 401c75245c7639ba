/**
 * The activity of a connection, as its connector tells it.
 */
import * as Result from "effect/Result"
import type { Inspection } from "../../Connector.ts"
import type { Pooled } from "../line/lease.ts"
import type { PoolState } from "./state.ts"

/** The work that a connection does just now. */
export const activityOf = (state: PoolState, connection: Pooled): string | undefined =>
  inspectionOf(state, connection).activity?.slice(0, 100)

/** The work that a connection did last, as far as the connector tells it. */
export const lastActivityOf = (state: PoolState, connection: Pooled): string | undefined => {
  const { activity, lately } = inspectionOf(state, connection)
  return (lately ?? activity)?.slice(0, 100)
}

const nothing: Inspection = { tags: {} }

/** A connector that fails to describe a connection must not take the whole view down. */
export const inspectionOf = (state: PoolState, connection: Pooled): Inspection => {
  const { connector } = state
  if (connector.inspect === undefined || connection.value === undefined) return nothing
  return Result.getOrElse(Result.try(() => connector.inspect!(connection.value)), () => nothing)
}
