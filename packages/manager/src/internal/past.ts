/**
 * The readings of longer ago, one of many: of each stretch the one in which most was wrong, so that a short trouble is still
 * seen an hour later.
 */
import type { Sample } from "../MonitoringApi.ts"

export class Past {
  private readonly kept: Array<Sample> = []
  private readonly stretch: number
  private readonly size: number
  private worst: Sample | undefined
  private seen = 0

  /** `stretch`: how many readings become one, of which `size` are kept. */
  constructor(stretch: number, size: number) {
    this.stretch = stretch
    this.size = size
  }

  add(sample: Sample): void {
    if (this.worst === undefined || badness(sample) > badness(this.worst)) this.worst = sample
    if (++this.seen < this.stretch) return
    this.kept.push(this.worst)
    if (this.kept.length > this.size) this.kept.shift()
    this.worst = undefined
    this.seen = 0
  }

  /** Those from before the first of these, and then these. */
  before(samples: ReadonlyArray<Sample>): ReadonlyArray<Sample> {
    const first = samples[0]?.at ?? Infinity
    return [...this.kept.filter(({ at }) => at < first), ...samples]
  }
}

const ranks = { healthy: 0, degraded: 1, unhealthy: 2 } as const

const badness = ({ failureRate, limit, pending, status, used }: Sample): number =>
  ranks[status] * 1e6 + failureRate * 1e5 + pending + used / Math.max(1, limit)
