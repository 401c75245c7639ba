/**
 * The ways to choose an upstream, each by effective weight and without allocating anything.
 */
import type * as Random from "effect/Random"
import type { Strategy } from "../model/balanced.ts"
import type { Upstream } from "./upstream.ts"

/** Chooses one of the candidates, of which there is at least one. */
export type Choose = (candidates: ReadonlyArray<Upstream>, random: typeof Random.Random.Service) => Upstream

/**
 * Each earns its weight and the richest pays what all have earned: a weight of 3 beside 1 gives `a a b a` and not
 * `a a a b`.
 */
const roundRobin: Choose = (candidates) => richest(candidates, () => true)

const richest = (candidates: ReadonlyArray<Upstream>, takesPart: (candidate: Upstream) => boolean): Upstream => {
  let best: Upstream | undefined
  let earned = 0
  for (const candidate of candidates) {
    if (!takesPart(candidate)) continue
    candidate.earns()
    earned += candidate.effective
    if (best === undefined || candidate.credit > best.credit) best = candidate
  }
  best!.pays(earned)
  return best!
}

/** The one with the least in flight for its weight; those that are equal take turns. */
const leastUsed: Choose = (candidates) => {
  let least = Infinity
  for (const candidate of candidates) least = Math.min(least, candidate.load)
  return richest(candidates, (candidate) => candidate.load === least)
}

/** Two at random, by weight, and the one of them with less in flight for its weight. */
const powerOfTwoChoices: Choose = (candidates, random) => {
  const first = draw(candidates, undefined, random.nextDoubleUnsafe())
  if (candidates.length === 1) return first
  const second = draw(candidates, first, random.nextDoubleUnsafe())
  return second.load < first.load ? second : first
}

/** One of the candidates but `except`; `chance`, from 0 to 1, falls on each according to its weight. */
const draw = (candidates: ReadonlyArray<Upstream>, except: Upstream | undefined, chance: number): Upstream => {
  let all = 0
  for (const candidate of candidates) if (candidate !== except) all += candidate.effective
  let left = chance * all
  let drawn: Upstream | undefined
  for (const candidate of candidates) {
    if (candidate === except) continue
    drawn = candidate
    left -= candidate.effective
    if (left < 0) break
  }
  return drawn!
}

export const strategies: Readonly<Record<Strategy, Choose>> = { roundRobin, leastUsed, powerOfTwoChoices }
