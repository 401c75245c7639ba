/**
 * The adaptive size of a pool: its options, and what it tells of itself.
 */

/**
 * How a pool finds by itself how many connections help.
 *
 * @category models
 * @since 0.1.0
 */
export interface SizingOptions {
  /**
   * The way to the size. `"off"`: `maxConnections` and `setLimit` alone. `"advise"`: the pool measures, tells in
   * `stats.sizing` what it would do next, and changes nothing. `"apply"`: it does it. Default `"off"`.
   */
  readonly mode?: "off" | "advise" | "apply" | undefined
  /**
   * The smallest size that it chooses, at least 1. By default `minConnections`, or 1. Too small: one bad minute takes
   * the pool down to where callers queue for long, and it needs as long to come back. Too large: a server that would
   * serve more with fewer connections never gets fewer.
   */
  readonly min?: number | undefined
  /**
   * The largest size that it chooses, at most `maxConnections`. By default `maxConnections`. Too small: callers queue
   * although the server could bear more. Too large: more connections than the server has room for are tried; it says
   * that it is full, and the pool goes back.
   */
  readonly max?: number | undefined
  /**
   * The size that it begins with. By default `sizing.max`, as without it. It makes one step of a tenth a second at
   * most, so from 5 to 20 it takes twenty busy seconds. Too small: callers of the first busy minute queue. Too large:
   * the server is overloaded in the first busy minute.
   */
  readonly start?: number | undefined
}

/**
 * `SizingOptions`, checked and complete.
 *
 * @category models
 * @since 0.1.0
 */
export interface SizingConfig {
  readonly mode: "off" | "advise" | "apply"
  readonly min: number
  readonly max: number
  readonly start: number
}

/**
 * The leases a second at a size that was measured.
 *
 * @category models
 * @since 0.1.0
 */
export interface SizeTried {
  readonly size: number
  /** Leases that ended well, a second. */
  readonly rate: number
  /** When it was measured last, in milliseconds since the epoch. */
  readonly at: number
}

/**
 * A change of the size.
 *
 * @category models
 * @since 0.1.0
 */
export interface SizeMove {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly from: number
  readonly to: number
  readonly why: string
}

/**
 * The adaptive size of a pool: its moves, or those that it would make, and why.
 *
 * @category models
 * @since 0.1.0
 */
export interface SizingStats {
  readonly mode: "advise" | "apply"
  readonly min: number
  readonly max: number
  /** The size in force: what it chose with `"apply"`, the live limit with `"advise"`. */
  readonly size: number
  /** The size that it tries, or with `"advise"` would try, next; `size` where it would stay. */
  readonly next: number
  /** Its last finding, in words. */
  readonly why: string
  /** Leases that ended well, a second, in the last window that counted; 0 before there is one. */
  readonly rate: number
  /** The sizes measured so far and what they gave, the smallest first: the twenty measured last. */
  readonly tried: ReadonlyArray<SizeTried>
  /** The last changes, the oldest first, twenty at most. */
  readonly moves: ReadonlyArray<SizeMove>
}
