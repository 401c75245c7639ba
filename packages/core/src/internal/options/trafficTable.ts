/**
 * The options of a pool's `traffic`.
 */
import type * as Duration from "effect/Duration"
import type { PerPriority, Priority, TrafficConfig, TrafficRules } from "../model/traffic.ts"
import * as Entry from "./entry.ts"

/** A value for each priority, all of which may be left out. */
const perPriority = <Given, All>(
  of: (fallback: number) => Entry.Leaf<Given, number, All>,
  [high, normal, low]: readonly [high: number, normal: number, low: number],
  about: Entry.About
): Entry.Group<PerPriority<Given>, Readonly<Record<Priority, number>>, All> =>
  Entry.group({ high: of(high), normal: of(normal), low: of(low) }, about)

const isWeights = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) &&
  Object.values(value).every((weight) => typeof weight === "number" && weight > 0 && weight <= 1_000_000)

export const trafficTable: Entry.Table<TrafficRules, TrafficConfig, any> = {
  slack: perPriority<Duration.Input, any>(
    (fallback) => Entry.delay(fallback),
    [0, 1_000, 5_000],
    {
      does: "Callers of a priority wait as if they had come so much later.",
      defaults: "Default 0, 1 s and 5 s for high, normal and low.",
      tooSmall: "priorities mean little.",
      tooLarge: "in overload the low ones are never served."
    }
  ),
  share: perPriority<number, any>(
    (fallback) => Entry.value(Entry.part, fallback),
    [1, 1, 1],
    {
      does:
        "The part of the connections that callers of a priority hold together at most, above 0 and at most 1; it is at " +
        "least one connection.",
      defaults: "Default 1 each.",
      tooSmall: "connections idle while callers wait.",
      tooLarge: "long work of low priority holds all of them when a high caller comes."
    }
  ),
  places: perPriority<number, any>(
    (fallback) => Entry.value(Entry.upTo(2), fallback),
    [1.1, 1, 0.5],
    {
      does: "The part of `pendingLimit` that may be taken when a caller of a priority comes, from 0 to 2.",
      defaults: "Default 1.1, 1 and 0.5, so that high callers find a place in a queue that others have filled.",
      tooSmall: "callers are refused that would have been served.",
      tooLarge: "they wait in vain."
    }
  ),
  weights: Entry.converted(
    { expects: "an object of keys with numbers greater than 0 and at most 1000000", is: isWeights },
    Object.freeze({}),
    (given: Readonly<Record<string, number>>) => Object.freeze({ ...given }),
    {
      does: "How much of the connections' time a key gets beside others.",
      defaults: "1 for keys that are not named."
    }
  ),
  maxShare: Entry.value(Entry.part, 1, {
    does:
      "The part of the connections that callers of one key hold together at most, above 0 and at most 1; it is at least " +
      "one connection.",
    note:
      "A pool can't take a connection back, so this alone keeps connections free for the others when one key's leases are " +
      "long.",
    tooSmall: "connections idle while callers of one key wait."
  }),
  shedAfter: Entry.duration(Infinity, {
    does:
      "Sheds load when callers of a priority wait longer than this all through five times as long: low callers are " +
      "refused, then a part of the normal ones.",
    defaults: "Off by default; 20 ms suits a service that answers people.",
    tooSmall: "a burst is taken for an overload.",
    tooLarge: "callers have given up before they are served."
  }),
  degradation: Entry.oneOf(["auto", "manual"], "manual", {
    does:
      "The way to a level of degradation. `\"manual\"`: `degrade` alone. `\"auto\"`: the pool itself, a level up after a " +
      "second in which callers of high or normal priority failed to get a connection, and down after ten in which none did.",
    note: "`degrade` overrides it."
  }),
  degradedWait: Entry.duration(1_000, {
    does:
      "How long a normal or low caller waits at most from level 3 of degradation on, if `acquireTimeout` is not shorter.",
    tooSmall: "they are failed although a connection would have come.",
    tooLarge: "the level relieves nobody."
  }),
  retryBudget: Entry.value(Entry.upTo(1), Infinity, {
    does:
      "How many retries there may be for each lease that ended well, from 0 to 1; ten are free. A retry is a caller that " +
      "says so with `Traffic.retry`, or by `isRetry`.",
    defaults: "Off by default; 0.1 suits most.",
    tooSmall: "a moment's failure reaches users.",
    tooLarge: "retries multiply the load on a backend that is ill."
  }),
  affinity: Entry.flag(false, {
    does:
      "Whether a caller that says an `affinity` gets the idle connection that was lent last for the same, if there is one, " +
      "and one that was not lent for long otherwise. When callers wait, one of the same affinity may go before others of its " +
      "priority that have waited no more, eight times at most.",
    note: "It keeps more connections warm than the load needs."
  })
}
