/** The tables. */

export interface Person {
  readonly id: number
  readonly name: string
  readonly email: string
}

/** Those read by their keys; a table of its own has as many as one operation reads. */
export const people = 100

export const crowd = 1000

export const personOf = (i: number): Person => ({
  id: i % people,
  name: `person ${i % people}`,
  email: `${i % people}@example.com`
})

export const memberOf = (id: number): Person => ({ id, name: `person ${id}`, email: `${id}@example.com` })

export const idOf = (i: number): number => i % people

/** The rows of one insert. */
export const batch: ReadonlyArray<Person> = Array.from({ length: 100 }, (_, i) => memberOf(i))

/** Transactions move something from an account to the next. The pairs are as many as this. */
export const pairs = 500

export const fromOf = (i: number): number => 2 * (i % pairs)

export const toOf = (i: number): number => fromOf(i) + 1
