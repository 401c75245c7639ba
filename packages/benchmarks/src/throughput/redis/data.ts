/** The data in the server before anybody reads, and the data that is written. */

export const keys = 100

export const readKey = (i: number): string => `user:${i % keys}`

export const writtenKey = (i: number): string => `session:${i % keys}`

/** Begins with a number, so that values can be added up. */
export const valueOf = (i: number): string => `${i % keys}.${"x".repeat(100)}`

/** A tenth of a megabyte. */
export const largeKey = (i: number): string => `page:${i % largeKeys}`

export const largeKeys = 10

export const largeValueOf = (i: number): string => `${i % largeKeys}.${"x".repeat(100_000)}`
