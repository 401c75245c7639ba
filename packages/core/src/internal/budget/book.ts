/**
 * The way from a budget that a pool finds in its context to the shares it is reckoned with.
 */
import type { Ledger } from "./ledger.ts"

export interface Book {
  readonly ledger: Ledger
  /** How many connections each pool may have in any case. */
  readonly floor: number
  /** The total as the options say it. */
  readonly total: number
  /** Told of each pool that has joined. */
  readonly joined: () => void
}

/** Budgets are plain services: one that a test has made itself has no book, and no pool is bound by it. */
const books = new WeakMap<object, Book>()

export const keep = <Budget extends object>(budget: Budget, book: Book): Budget => {
  books.set(budget, book)
  return budget
}

export const bookOf = (budget: object): Book | undefined => books.get(budget)
