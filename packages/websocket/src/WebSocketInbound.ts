/**
 * Messages over all connections of a pool, with the gaps told.
 *
 * @since 0.1.0
 */

/**
 * A message that no borrower claimed.
 *
 * @category models
 * @since 0.1.0
 */
export interface InboundMessage<out Message> {
  readonly _tag: "Message"
  readonly connection: number
  readonly message: Message
}

/**
 * A connection was opened, and `onOpen` has run on it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Opened {
  readonly _tag: "Opened"
  readonly connection: number
}

/**
 * A connection ended. What the server sent on it afterwards is lost, until another one is `Opened`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed {
  readonly _tag: "Closed"
  readonly connection: number
  /** The close code; 1006 when it ended without one. */
  readonly code: number
  readonly reason: string
}

/**
 * This reader was too slow and lost the oldest of what waited for it (`inboundPolicy: "dropOldest"`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Dropped {
  readonly _tag: "Dropped"
  readonly connection: number
  readonly count: number
}

/**
 * A message did not fit the schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface Undecodable {
  readonly _tag: "Undecodable"
  readonly connection: number
  /** Where and how it does not fit; never the message itself. */
  readonly issue: string
}

/**
 * Everything that comes in, in order for each connection. `connection` is the `id` of the `WebSocketConnection`.
 *
 * @category models
 * @since 0.1.0
 */
export type Inbound<Message> = InboundMessage<Message> | Opened | Closed | Dropped | Undecodable

/**
 * The messages of a pool, counted since it was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Traffic {
  readonly sent: number
  /** Messages that arrived, whatever became of them. */
  readonly received: number
  /** ... that did not fit the schema. */
  readonly undecodable: number
  /** ... that made room for newer ones, or met a full reader under the policy `"close"` or while being closed. */
  readonly dropped: number
  /** ... that nobody read, because no borrower and no reader was there. */
  readonly unread: number
}
