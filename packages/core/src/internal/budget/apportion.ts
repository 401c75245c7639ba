/**
 * The shares of a budget: max-min fair, in whole connections, and steady.
 *
 * The ones that want least get all they want, and what is left is shared evenly by those that want more. A connection that
 * can't be shared evenly stays where it is, so that the same numbers always have the same answer and nothing moves to and
 * fro. The script of the store (`fleetScript.ts`) reckons in the same way; a test compares the two.
 */

/** A member that shares a budget. */
interface Member {
  /** Sockets that it has, those being opened and closed included. */
  readonly has: number
  /** How many it could use now. */
  readonly wants: number
  /** How many it may have in any case, whether it wants them or not. */
  readonly floor: number
}

/** A member, and how many it may have until it is told otherwise. */
export interface Granted extends Member {
  readonly grant: number
}

/** The share of each member once everybody has done as told: `total` at most, together. */
export const apportion = (total: number, members: ReadonlyArray<Member>): ReadonlyArray<number> => {
  const floors = fill(total, members.map(({ floor, has }) => ({ least: 0, most: floor, has })))
  const wanted = fill(
    total,
    members.map(({ has, wants }, at) => ({ least: floors[at]!, most: Math.max(floors[at]!, wants), has }))
  )
  // Nobody closes a socket for its own sake: what nobody else wants stays open.
  return fill(total, members.map(({ has }, at) => ({ least: wanted[at]!, most: Math.max(wanted[at]!, has), has })))
}

/**
 * The grant of each member from now on. A member that should have less may open nothing more from now on; others get what
 * it gives up only when its sockets are closed. So `total` is not exceeded on the way either.
 */
export const settle = (total: number, members: ReadonlyArray<Granted>): ReadonlyArray<number> => {
  const targets = apportion(total, members)
  const kept = members.map(({ grant, has }, at) => Math.max(Math.min(grant, targets[at]!), Math.min(has, targets[at]!)))
  const held = members.map(({ has }, at) => Math.max(kept[at]!, has))
  if (sum(held) >= total) return kept
  const grown = fill(
    total,
    members.map(({ has }, at) => ({ least: held[at]!, most: Math.max(held[at]!, targets[at]!), has }))
  )
  return kept.map((keeps, at) => targets[at]! > held[at]! ? grown[at]! : keeps)
}

/** Grants what nobody wants as well, evenly, up to what each may have at most. */
export const spread = (
  total: number,
  members: ReadonlyArray<Member>,
  grants: ReadonlyArray<number>,
  most: ReadonlyArray<number>
): ReadonlyArray<number> => {
  const held = members.map(({ has }, at) => Math.max(grants[at]!, has))
  if (sum(held) >= total) return grants
  const raised = fill(
    total,
    members.map(({ has }, at) => ({ least: held[at]!, most: Math.max(held[at]!, most[at]!), has }))
  )
  return grants.map((grant, at) => raised[at]! > held[at]! ? raised[at]! : grant)
}

interface Part {
  readonly least: number
  readonly most: number
  readonly has: number
}

/** Raises all parts to one level, each between its `least` and its `most`, until `total` is reached. */
const fill = (total: number, parts: ReadonlyArray<Part>): ReadonlyArray<number> => {
  const highest = parts.reduce((most, part) => Math.max(most, part.most), 0)
  const at = (level: number): number => parts.reduce((all, part) => all + clamp(level, part), 0)
  if (at(highest) <= total) return parts.map(({ most }) => most)
  let low = 0
  let high = highest
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (at(middle) <= total) low = middle
    else high = middle
  }
  const filled = parts.map((part) => clamp(low, part))
  let left = total - sum(filled)
  // Not enough for one more each: first those that have it already.
  for (const isFirst of [true, false]) {
    for (let index = 0; left > 0 && index < parts.length; index++) {
      const { has, least, most } = parts[index]!
      if (low < least || low >= most || (has > low) !== isFirst) continue
      filled[index] = low + 1
      left--
    }
  }
  return filled
}

const clamp = (level: number, { least, most }: Part): number => Math.max(least, Math.min(most, level))

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, each) => all + each, 0)
