/**
 * Splits a whole number into whole parts by weight.
 */

/** The bounds of one part. */
interface Part {
  readonly weight: number
  readonly least: number
  readonly most: number
}

/**
 * One after the other goes to whoever has least for its weight, so that no part is more than one off. Less than all is
 * given out if all parts are at their most.
 */
export const apportion = (whole: number, parts: ReadonlyArray<Part>): ReadonlyArray<number> => {
  const given = parts.map(({ least }) => least)
  for (let left = whole - given.reduce((a, b) => a + b, 0); left > 0; left--) {
    let next = -1
    for (const [index, { most, weight }] of parts.entries()) {
      if (weight === 0 || given[index]! >= most) continue
      if (next < 0 || (given[index]! + 1) / weight < (given[next]! + 1) / parts[next]!.weight) next = index
    }
    if (next < 0) break
    given[next]!++
  }
  return given
}
