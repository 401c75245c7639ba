/** The table that is read. */

export interface Person {
  readonly id: number
  readonly name: string
  readonly email: string
}

export const people = 100

export const personOf = (i: number): Person => ({
  id: i % people,
  name: `person ${i % people}`,
  email: `${i % people}@example.com`
})

export const idOf = (i: number): number => i % people
