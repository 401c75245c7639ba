/**
 * The series of the busiest keys: as many as there are keys to tell apart, which change with the callers.
 *
 * They are looked at when metrics are read, so that a pool that nobody scrapes does nothing for them. A key that is busy no
 * more loses its series: labels stay bounded however many keys there ever were.
 */
import type { KeyStats } from "../model/traffic.ts"

interface Shown {
  pending: number
  used: number
}

export class KeySeries {
  private readonly publish: (key: string, shown: Shown) => () => void
  private readonly all = new Map<string, { readonly shown: Shown; readonly stop: () => void }>()

  constructor(publish: (key: string, shown: Shown) => () => void) {
    this.publish = publish
  }

  refresh(keys: ReadonlyArray<KeyStats>): void {
    const now = new Map<string, Shown>()
    for (const { key = "", pending, used } of keys) {
      const shown = now.get(key) ?? { pending: 0, used: 0 }
      shown.pending += pending
      shown.used += used
      now.set(key, shown)
    }
    for (const [key, { stop }] of this.all) {
      if (now.has(key)) continue
      stop()
      this.all.delete(key)
    }
    for (const [key, shown] of now) {
      const known = this.all.get(key)
      if (known === undefined) this.all.set(key, { shown, stop: this.publish(key, shown) })
      else Object.assign(known.shown, shown)
    }
  }

  end(): void {
    this.refresh([])
  }
}
