/**
 * Idle connections, in the order in which they became idle: the last one is the warmest and is lent first. Those that
 * rest in Effect's Pool are among them.
 */
import type { Pooled } from "../line/lease.ts"
import type { PoolState } from "./state.ts"

/** Takes a connection that the engine wants to use out of the idle ones. */
export const takeIdle = (state: PoolState, connection: Pooled): Pooled => {
  removeIdle(state, connection)
  if (connection.loan === undefined) state.hold.borrow(connection)
  return connection
}

export const removeIdle = ({ idle }: PoolState, connection: Pooled): void => {
  // Most often it is the warmest, and then nothing need be allocated.
  if (idle[idle.length - 1] === connection) idle.pop()
  else idle.splice(idle.indexOf(connection), 1)
}

/** Adds a connection to the idle ones. */
export const toIdle = (state: PoolState, connection: Pooled): void => {
  const { idle } = state
  state.move(connection, "idle")
  let place = idle.length
  while (place > 0 && idle[place - 1]!.idleSince > connection.idleSince) place--
  if (place === idle.length) idle.push(connection)
  else idle.splice(place, 0, connection)
}

/**
 * Lets rest what has been idle so long that it must prove itself before its next lease anyway, as far as the minimum can
 * do without it. Nothing goes to rest while a dial is under way: Effect's Pool lends what rests before it takes in what
 * arrives.
 */
export const restSurplus = (state: PoolState, now: number): void => {
  if (state.opening > 0) return
  const { config: { freshnessWindow, idleTimeout }, hold } = state
  const restAfter = Math.min(Math.max(freshnessWindow, 1_000), idleTimeout / 2)
  let surplus = state.live - hold.resting - state.floor
  for (const connection of state.idle) {
    if (surplus <= 0 || now < connection.idleSince + restAfter) return
    if (connection.loan === undefined || connection.isDue) continue
    hold.rest(connection)
    surplus--
  }
}

/** What the minimum needs is on loan, so that the time to live can't end it. */
export const keepFloor = (state: PoolState): void => {
  const { hold, idle } = state
  for (let i = idle.length - 1; hold.resting > 0 && state.live - hold.resting < state.floor; i--) {
    const connection = idle[i]!
    if (connection.loan === undefined) hold.borrow(connection)
  }
}
