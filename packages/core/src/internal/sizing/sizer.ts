/**
 * The adaptive size of one pool: the climb, and the account of it that users see.
 */
import * as Context from "effect/Context"
import type { SizeMove, SizeTried, SizingConfig, SizingStats } from "../model/sizing.ts"
import { HillClimb } from "./hillClimb.ts"
import type { Look } from "./window.ts"

/** How much of the past is told. */
const told = 20

/** A way to find the size. */
export interface Climb {
  readonly size: number
  readonly next: number
  readonly why: string
  readonly rate: number
  readonly isSettled: boolean
  readonly look: HillClimb["look"]
  readonly moved: (seen: Look) => void
}

/** The way in which pools find their size: another one in tests. */
export const MakeClimb = Context.Reference<(options: ConstructorParameters<typeof HillClimb>[0]) => Climb>(
  "@effect-pools/core/MakeClimb",
  { defaultValue: () => (options) => new HillClimb(options) }
)

export class Sizer {
  readonly climb: Climb
  private readonly config: SizingConfig
  private readonly mode: "advise" | "apply"
  private readonly tried = new Map<number, SizeTried>()
  private readonly moves: Array<SizeMove> = []

  constructor(config: SizingConfig, mode: "advise" | "apply", makeClimb: typeof MakeClimb.Service) {
    this.config = config
    this.mode = mode
    this.climb = makeClimb({ ...config, mayMove: mode === "apply" })
  }

  /** Looks at the pool. Tells whether the size is another now. */
  look(seen: Look, ceiling: number, date: number): boolean {
    const before = this.climb.size
    const move = this.climb.look(seen, ceiling, (size, { rate }) => this.measured({ size, rate, at: date }))
    if (move !== undefined) {
      this.moves.push({ at: date, ...move })
      if (this.moves.length > told) this.moves.shift()
    }
    return this.climb.size !== before
  }

  stats(limit: number): SizingStats {
    const { climb: { next, rate, size, why }, config: { max, min }, mode, moves, tried } = this
    return {
      mode,
      min,
      max,
      size: mode === "apply" ? size : limit,
      next,
      why,
      rate,
      tried: Array.from(tried.values()).toSorted((a, b) => a.size - b.size),
      moves: Array.from(moves)
    }
  }

  /** The size measured longest ago is forgotten first. */
  private measured(one: SizeTried): void {
    this.tried.delete(one.size)
    this.tried.set(one.size, one)
    if (this.tried.size <= told) return
    for (const oldest of this.tried.keys()) {
      this.tried.delete(oldest)
      return
    }
  }
}
