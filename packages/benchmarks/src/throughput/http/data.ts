/** The answer of the server. */

export interface Item {
  readonly id: number
  readonly name: string
  readonly tags: ReadonlyArray<string>
  readonly isInStock: boolean
}

export const items = 100

export const itemOf = (i: number): Item => ({
  id: i % items,
  name: `item ${i % items}`,
  tags: ["small", "round", "green"],
  isInStock: i % 2 === 0
})

export const pathOf = (i: number): string => `/items/${i % items}`
