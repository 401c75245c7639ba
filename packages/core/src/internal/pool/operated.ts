/**
 * An operation on a connection has ended: it is counted, and told to those who listen.
 */
import type { Operation } from "../model/operation.ts"
import type { Pooled } from "../line/lease.ts"
import { emit } from "../watch/events.ts"
import { cut } from "../watch/operations.ts"
import type { PoolState } from "./state.ts"

export const operated = (state: PoolState, { id }: Pooled, operation: Operation): void => {
  const { counts, events, time } = state
  counts.operated(operation, time.now(), () => time.date())
  if (events.operationListeners === 0) return
  const { count, end, kind, status, took } = operation
  emit(state, { _tag: "Operated", connection: id, kind, end, took, text: cut(operation.text), status, count })
}
