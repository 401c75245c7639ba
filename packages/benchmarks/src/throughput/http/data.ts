/** The answers of the server. */

export interface Item {
  readonly id: number
  readonly name: string
  readonly tags: ReadonlyArray<string>
  readonly isInStock: boolean
  readonly text?: string
}

export const items = 100

export const itemOf = (i: number): Item => ({
  id: i % items,
  name: `item ${i % items}`,
  tags: ["small", "round", "green"],
  isInStock: i % 2 === 0
})

export const pathOf = (i: number): string => `/items/${i % items}`

/** A quarter of a megabyte. */
export const largeItemOf = (i: number): Item => ({ ...itemOf(i), text: "x".repeat(250_000) })

export const largePathOf = (i: number): string => `/large/${i % items}`

/** The body of the answer to a request. */
export const bodyOf = (path: string): string | undefined => bodies.get(path)

const bodies = new Map(
  Array.from({ length: items }, (_, i): ReadonlyArray<readonly [string, string]> => [
    [pathOf(i), JSON.stringify(itemOf(i))],
    [largePathOf(i), JSON.stringify(largeItemOf(i))]
  ]).flat()
)
