/**
 * Which upstream the next lease goes to.
 */
import type { Balancer } from "./balancer.ts"
import type { Upstream } from "./upstream.ts"

/**
 * An upstream that was not tried yet, or `undefined` if all were.
 *
 * Those that are available come first, and one without weight never. When too few are, or none is left, ejection is ignored: it is a guess from how
 * leases ended. Then those that refuse at once, and last those whose dials fail, so that the error a caller gets in the
 * end is the one that explains most.
 */
export const choose = (balancer: Balancer, tried: ReadonlyArray<Upstream>, now: number): Upstream | undefined => {
  const { candidates, random, settings, upstreams } = balancer
  for (const upstream of upstreams) balancer.refresh(upstream, now)
  for (let tier = balancer.isPanicking ? 1 : 0; tier < tiers.length; tier++) {
    const belongs = tiers[tier]!
    candidates.length = 0
    for (const upstream of upstreams) {
      if (upstream.weight === 0 || !belongs(upstream) || tried.includes(upstream)) continue
      upstream.effective = upstream.weight * upstream.share(settings.slowStart, now)
      upstream.load = upstream.burden(now) / upstream.effective
      candidates.push(upstream)
    }
    if (candidates.length > 0) return settings.choose(candidates, random)
  }
  return undefined
}

const tiers: ReadonlyArray<(upstream: Upstream) => boolean> = [
  (upstream) => upstream.isAvailable,
  (upstream) => !upstream.isShut && !upstream.isFailing,
  (upstream) => upstream.isShut,
  () => true
]
