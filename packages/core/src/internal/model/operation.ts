/**
 * Operations on connections: statements, commands, requests and messages, as the backends report them.
 */
import type { Timing } from "./timing.ts"

/**
 * How an operation ended.
 *
 * - `success`: it was answered well
 * - `rejected`: by its caller's own doing, such as a unique violation or a status of 404; the backend is well
 * - `failed`: by the backend's doing: it lost the connection, refused for its own sake, or took too long
 * - `interrupted`: its caller waited no longer
 *
 * @category models
 * @since 0.1.0
 */
export type OperationEnd = "success" | "rejected" | "failed" | "interrupted"

/**
 * One statement, command, request or message that has ended. Fields that cost something may be getters of a class: what nobody
 * watches is not asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Operation {
  /** One of few words, such as `select`, `GET` or `send`: it becomes the label of a metric. */
  readonly kind: string
  readonly end: OperationEnd
  /** Milliseconds, without the wait for a connection. */
  readonly took: number
  /** Its text without its values. The pool cuts it to 100 characters. */
  readonly text?: string | undefined
  /** The backend's own word for its end, such as a SQLSTATE or the status of a response. */
  readonly status?: string | number | undefined
  /** How many it was about, such as rows or keys. */
  readonly count?: number | undefined
}

/**
 * An operation that took long beside the others.
 *
 * @category models
 * @since 0.1.0
 */
export interface SlowOperation {
  readonly kind: string
  /** Cut to 100 characters. */
  readonly text: string | undefined
  /** How long the slowest of this text took, in milliseconds. */
  readonly took: number
  /** When it ended, in milliseconds since the epoch. */
  readonly at: number
  readonly end: OperationEnd
}

/**
 * How long the operations on a pool's connections took since it was made. How many ended how is in its counts. All is 0
 * where the connector reports none.
 *
 * @category models
 * @since 0.1.0
 */
export interface OperationStats {
  /** How long they took, without the wait for a connection. */
  readonly time: Timing
  /**
   * The slowest of the last ten minutes by their texts, ten at most, the slowest first. Of a text that was never slow
   * beside the others there may be none.
   */
  readonly slowest: ReadonlyArray<SlowOperation>
}
