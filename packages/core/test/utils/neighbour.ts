/**
 * Another that shares the budget of a pool under test: it wants what the program says, and opens and closes when it says so.
 */
import { ConnectionBudget } from "@effect-pools/core"
import { Context, Effect, type Scope } from "effect"
import { bookOf } from "../../src/internal/budget/book.ts"
import type { Ledger } from "../../src/internal/budget/ledger.ts"

export class Neighbour {
  readonly ledger: Ledger
  readonly total: number
  readonly floor: number
  has = 0
  wants = 0
  private readonly seat: ReturnType<Ledger["join"]>

  constructor(ledger: Ledger, { floor, total }: { readonly floor: number; readonly total: number }) {
    this.ledger = ledger
    this.total = total
    this.floor = floor
    this.seat = ledger.join({
      name: "neighbour",
      kind: "fake",
      floor,
      has: () => this.has,
      useful: () => this.wants,
      most: () => total,
      granted: () => {},
      told: () => {}
    })
  }

  get grant(): number {
    return this.seat.grant
  }

  /** Connections of the budget that neither it nor the pool has or may have. */
  get free(): number {
    return this.total - this.ledger.holds
  }

  want(count: number): void {
    this.wants = Math.min(this.total, count)
    if (this.wants > this.grant) this.ledger.ask(this.seat)
  }

  move(): void {
    const before = this.has
    this.has = Math.min(this.grant, this.wants)
    if (this.has < before) this.ledger.freed()
  }
}

/** A budget with a neighbour in it, for the pool that is provided with the context. */
export const make = Effect.fnUntraced(
  function*(options: { readonly floor: number; readonly total: number }): Effect.fn.Return<
    { readonly neighbour: Neighbour; readonly context: Context.Context<ConnectionBudget.ConnectionBudget> },
    unknown,
    Scope.Scope
  > {
    const budget = yield* ConnectionBudget.make(options)
    const neighbour = new Neighbour(bookOf(budget)!.ledger, options)
    return { neighbour, context: Context.make(ConnectionBudget.ConnectionBudget, budget) }
  }
)
