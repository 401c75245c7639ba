/** Traffic: the words of callers, and the rules of a pool for them. */
import type * as Duration from "effect/Duration"

/**
 * How much a caller matters, beside others that wait for the same pool.
 *
 * @category models
 * @since 0.1.0
 */
export type Priority = "high" | "normal" | "low"

/**
 * All priorities, the highest first.
 *
 * @category models
 * @since 0.1.0
 */
export const priorities: ReadonlyArray<Priority> = Object.freeze(["high", "normal", "low"] as const)

/**
 * How much a pool gives up so that what matters most is served.
 *
 * - 0: nothing
 * - 1: low callers are refused, but for one in twenty, who shows when all is well again
 * - 2: the same; programs that look at the level may answer equal reads together, or by staler replicas
 * - 3: normal callers wait no longer than `traffic.degradedWait`
 * - 4: normal callers are refused as low ones are, so that high ones are served
 *
 * @category models
 * @since 0.1.0
 */
export type Level = 0 | 1 | 2 | 3 | 4

/**
 * The things that can be said of a caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface TrafficOptions {
  /** Default `"normal"`. */
  readonly priority?: Priority | undefined
  /** With whom the caller shares fairly: callers of one key are one. Default: none, and callers without a key are one. */
  readonly fairKey?: string | undefined
  /**
   * How long from now the caller can use an answer. Default: none. Too small: the caller is refused although it could
   * have been served. Too large: it is lent a connection for work that nobody waits for any more.
   */
  readonly deadline?: Duration.Input | undefined
  /** Whether the same was tried before, so that it counts against the pool's `traffic.retryBudget`. Default false. */
  readonly isRetry?: boolean | undefined
  /**
   * Prefers the idle connection that was lent last for the same text, in a pool whose option `traffic.affinity` is on: it
   * may have what the caller needs at hand already. Nobody waits for it while another is idle. Default: none.
   */
  readonly affinity?: string | undefined
  /**
   * Names and values by which the caller is told in `connections`, events, errors and spans, beside those said around it:
   * eight at most, each cut to 100 characters. They are not sent to the backend. Default: none.
   */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/**
 * A value for each priority.
 *
 * @category models
 * @since 0.1.0
 */
export interface PerPriority<A> {
  readonly high?: A | undefined
  readonly normal?: A | undefined
  readonly low?: A | undefined
}

/**
 * How a pool treats callers that wait: its option `traffic`.
 *
 * @category models
 * @since 0.1.0
 */
export interface TrafficRules {
  /**
   * Callers of a priority wait as if they had come so much later. Default 0, 1 s and 5 s for high, normal and low. Too
   * short: priorities mean little. Too long: in overload the low ones are never served.
   */
  readonly slack?: PerPriority<Duration.Input> | undefined
  /**
   * The part of the connections that callers of a priority hold together at most, above 0 and at most 1; it is at least
   * one connection. Default 1 each. Too small: connections idle while callers wait. Too large: long work of low
   * priority holds all of them when a high caller comes.
   */
  readonly share?: PerPriority<number> | undefined
  /**
   * The part of `pendingLimit` that may be taken when a caller of a priority comes, from 0 to 2. Default 1.1, 1 and
   * 0.5, so that high callers find a place in a queue that others have filled. Too small: callers are refused that
   * would have been served. Too large: they wait in vain.
   */
  readonly places?: PerPriority<number> | undefined
  /** How much of the connections' time a key gets beside others. 1 for keys that are not named. */
  readonly weights?: Readonly<Record<string, number>> | undefined
  /**
   * The part of the connections that callers of one key hold together at most, above 0 and at most 1; it is at least
   * one connection. Default 1. A pool can't take a connection back, so this alone keeps connections free for the others
   * when one key's leases are long. Too small: connections idle while callers of one key wait.
   */
  readonly maxShare?: number | undefined
  /**
   * Sheds load when callers of a priority wait longer than this all through five times as long: low callers are
   * refused, then a part of the normal ones. Off by default; 20 ms suits a service that answers people. Too short: a
   * burst is taken for an overload. Too long: callers have given up before they are served.
   */
  readonly shedAfter?: Duration.Input | undefined
  /**
   * The way to a level of degradation. `"manual"`: `degrade` alone. `"auto"`: the pool itself, a level up after a
   * second in which callers of high or normal priority failed to get a connection, and down after ten in which none
   * did. Default `"manual"`. `degrade` overrides it.
   */
  readonly degradation?: "auto" | "manual" | undefined
  /**
   * How long a normal or low caller waits at most from level 3 of degradation on, if `acquireTimeout` is not shorter.
   * Default 1 s. Too short: they are failed although a connection would have come. Too long: the level relieves nobody.
   */
  readonly degradedWait?: Duration.Input | undefined
  /**
   * How many retries there may be for each lease that ended well, from 0 to 1; ten are free. A retry is a caller that
   * says so with `Traffic.retry`, or by `isRetry`. Off by default; 0.1 suits most. Too small: a moment's failure
   * reaches users. Too large: retries multiply the load on a backend that is ill.
   */
  readonly retryBudget?: number | undefined
  /**
   * Whether a caller that says an `affinity` gets the idle connection that was lent last for the same, if there is one,
   * and one that was not lent for long otherwise. When callers wait, one of the same affinity may go before others of
   * its priority that have waited no more, eight times at most. Default false. It keeps more connections warm than the
   * load needs.
   */
  readonly affinity?: boolean | undefined
}

/**
 * `TrafficRules`, checked and complete. Durations are in milliseconds; `shedAfter` and `retryBudget` are `Infinity` when they
 * are off.
 *
 * @category models
 * @since 0.1.0
 */
export interface TrafficConfig {
  readonly slack: Readonly<Record<Priority, number>>
  readonly share: Readonly<Record<Priority, number>>
  readonly places: Readonly<Record<Priority, number>>
  readonly weights: Readonly<Record<string, number>>
  readonly maxShare: number
  readonly shedAfter: number
  readonly degradation: "auto" | "manual"
  readonly degradedWait: number
  readonly retryBudget: number
  readonly affinity: boolean
}

/**
 * The traffic of the running caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Said {
  readonly priority: Priority
  readonly fairKey: string | undefined
  /** When nobody waits any more, in milliseconds since the epoch as `Clock` counts them; `Infinity` without a deadline. */
  readonly deadlineAt: number
  /** Whether the same was tried before. */
  readonly isRetry: boolean
  readonly affinity: string | undefined
  /** `undefined` without any. */
  readonly tags: Readonly<Record<string, string>> | undefined
}

/**
 * The callers of one key, at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface KeyStats {
  /** `undefined` for callers without a key; `"other"` for those of all keys that are not among the busiest. */
  readonly key: string | undefined
  /** Callers that wait. */
  readonly pending: number
  /** Leases that hold a connection. */
  readonly used: number
}

/**
 * The callers that wait and are served, at one moment. Leases are told apart from the first caller on that says anything with
 * `Traffic`; before it all are normal. A lease that is served at once while nobody waits is not told apart, unless the pool has
 * shares, shedding, a budget of retries or a level of degradation.
 *
 * @category models
 * @since 0.1.0
 */
export interface TrafficStats {
  /** The level of degradation. */
  readonly level: Level
  /** Callers that wait, by priority. */
  readonly pending: Readonly<Record<Priority, number>>
  /** The part of the newcomers of a priority that is refused with `Overloaded`, from 0 to 1, by the level or by shedding. */
  readonly refused: Readonly<Record<Priority, number>>
  /**
   * The busiest keys, twenty at most, those with the most callers that wait or hold connections first; and all others
   * together as `"other"`.
   */
  readonly keys: ReadonlyArray<KeyStats>
}
