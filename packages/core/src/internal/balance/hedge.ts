/**
 * Callers that wait for long go where a connection is free.
 *
 * A choice may be wrong: the upstream's dials hang, its borrowers keep what they have, or another was faster. So as long
 * as callers wait, the upstreams are looked at twice in each `hedgeAfter`.
 */
import * as Effect from "effect/Effect"
import type { Balancer } from "./balancer.ts"
import type { Upstream, Waiting } from "./upstream.ts"

/** Watches the callers that wait until none does. */
export const watch = (balancer: Balancer): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (balancer.upstreams.every(({ waiting }) => waiting.size === 0)) return Effect.void
    return Effect.sleep(balancer.patience / 2).pipe(
      Effect.andThen(balancer.look),
      Effect.andThen(Effect.sync(() => hedge(balancer))),
      Effect.andThen(watch(balancer))
    )
  })

const hedge = (balancer: Balancer): void => {
  const now = balancer.time.now()
  let isShort = false
  for (const upstream of balancer.upstreams) {
    const late = Array.from(upstream.waiting).filter(({ since }) => now - since >= balancer.patience)
    if (late.length === 0) continue
    if (upstream.isStuck(now, balancer.patience)) balancer.stalled(upstream)
    for (const caller of late) if (!goesToFree(balancer, caller)) isShort = true
  }
  if (isShort) warmUpAnother(balancer)
}

const goesToFree = (balancer: Balancer, caller: Waiting): boolean => {
  const to = freest(balancer, caller)
  if (to === undefined) return false
  to.takesOne()
  caller.moveOn(to)
  return true
}

/** The upstream with the most room for its weight that the caller may go to. */
const freest = ({ upstreams }: Balancer, caller: Waiting): Upstream | undefined => {
  let best: Upstream | undefined
  for (const upstream of upstreams) {
    if (upstream.free <= 0 || !upstream.isAvailable || !caller.mayTry(upstream)) continue
    if (best === undefined || upstream.free / upstream.weight > best.free / best.weight) best = upstream
  }
  return best
}

/** Another connection might be open before the one that the caller waits for, and the caller keeps its place meanwhile. */
const warmUpAnother = (balancer: Balancer): void => {
  const cold = balancer.upstreams.find((upstream) => upstream.isCold && upstream.weight > 0 && upstream.isAvailable)
  if (cold !== undefined) balancer.probe(cold)
}
