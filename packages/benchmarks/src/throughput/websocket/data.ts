/** The messages that are sent and come back. */

export interface Message {
  /** Tells the answers on one connection from each other. */
  readonly id?: string
  readonly number: number
  readonly text: string
}

export const text = "x".repeat(100)

export const messageOf = (number: number): Message => ({ number, text })
