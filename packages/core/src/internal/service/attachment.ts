/**
 * The data that a backend keeps with its pools.
 */
import type { Attachment, Lender } from "../model/service.ts"

/**
 * Makes an attachment. The name is for whoever looks at a pool in a debugger.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeAttachment = <A extends object>(name: string): Attachment<A> => {
  interface Entry extends Lender {
    readonly value: A
  }
  const key = Symbol(name)
  const entryOf = (pool: Lender): Entry | undefined => {
    const entry = (pool as { readonly [key]?: unknown })[key]
    // A mock of Effect answers every name with a function that fails.
    return typeof entry === "object" ? entry as Entry : undefined
  }
  return {
    attach: (pool, value) => {
      const { withConnection, withShared } = pool
      return Object.assign(pool, { [key]: { value, withConnection, withShared } })
    },
    of: (pool) => entryOf(pool)?.value,
    ofPristine: (pool) => {
      const entry = entryOf(pool)
      return entry !== undefined && pool.withConnection === entry.withConnection && pool.withShared === entry.withShared
        ? entry.value
        : undefined
    }
  }
}
