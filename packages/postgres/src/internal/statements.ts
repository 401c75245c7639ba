/**
 * The statements that the sessions of a pool have prepared, in numbers, and which texts are worth it.
 *
 * A text that a program runs once costs more when it is prepared: the server keeps a plan that nobody uses, and another is
 * dropped for it. So a text is prepared when it comes for the second time, on whichever connection.
 */

/**
 * The prepared statements of a pool in numbers.
 *
 * @category models
 * @since 0.1.0
 */
export interface PreparedCounts {
  /** Statements that were run by the name under which they had been prepared. */
  readonly hits: number
  /** Statements that were prepared. */
  readonly misses: number
  /** Prepared statements that were dropped for others: `preparedStatementCacheSize` is too small for the program. */
  readonly evictions: number
  /** Statements that came for the first time and so were not prepared. */
  readonly firsts: number
}

/** So many texts are remembered. Beyond them one is taken for new that is not, which costs that it is prepared later. */
const most = 2_000
const longest = 10_000

export class Statements {
  hits = 0
  misses = 0
  evictions = 0
  firsts = 0
  private seen = new Set<string>()
  private before = new Set<string>()

  /** Whether a text came before. */
  isRepeated(text: string): boolean {
    if (this.seen.has(text)) return true
    const isKnown = this.before.has(text)
    if (text.length <= longest) this.remember(text)
    if (!isKnown) this.firsts++
    return isKnown
  }

  /** In two halves: when the newer is full, the older is forgotten, but for what has come since. */
  private remember(text: string): void {
    if (this.seen.size >= most / 2) {
      this.before = this.seen
      this.seen = new Set()
    }
    this.seen.add(text)
  }

  get counts(): PreparedCounts {
    const { evictions, firsts, hits, misses } = this
    return { hits, misses, evictions, firsts }
  }
}
