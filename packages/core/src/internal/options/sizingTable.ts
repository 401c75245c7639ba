/**
 * The options of a pool's `sizing`.
 */
import type { SizingConfig, SizingOptions } from "../model/sizing.ts"
import * as Entry from "./entry.ts"

export const sizingTable: Entry.Table<SizingOptions, SizingConfig, any> = {
  mode: Entry.oneOf(["off", "advise", "apply"], "off", {
    does:
      "The way to the size. `\"off\"`: `maxConnections` and `setLimit` alone. `\"advise\"`: the pool measures, tells in " +
      "`stats.sizing` what it would do next, and changes nothing. `\"apply\"`: it does it."
  }),
  // The ends of the range are those of the pool where they are not given.
  min: Entry.count([1, 100_000], -Infinity, {
    does: "The smallest size that it chooses, at least 1.",
    unit: "connections",
    defaults: "By default `minConnections`, or 1.",
    tooSmall: "one bad minute takes the pool down to where callers queue for long, and it needs as long to come back.",
    tooLarge: "a server that would serve more with fewer connections never gets fewer."
  }),
  max: Entry.count([1, 100_000], Infinity, {
    does: "The largest size that it chooses, at most `maxConnections`.",
    unit: "connections",
    defaults: "By default `maxConnections`.",
    tooSmall: "callers queue although the server could bear more.",
    tooLarge:
      "more connections than the server has room for are tried; it says that it is full, and the pool goes back."
  }),
  start: Entry.count([1, 100_000], Infinity, {
    does: "The size that it begins with.",
    unit: "connections",
    defaults: "By default `sizing.max`, as without it.",
    note: "It makes one step of a tenth a second at most, so from 5 to 20 it takes twenty busy seconds.",
    tooSmall: "callers of the first busy minute queue.",
    tooLarge: "the server is overloaded in the first busy minute."
  })
}
