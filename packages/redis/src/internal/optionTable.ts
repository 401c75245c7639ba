/**
 * The options that a Redis pool adds to those of every pool: the rule of each, its default, and what users should know of it.
 * The comments of `RedisOptions` are made of this table (`npm run options`), and so are the pages about them.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { ConnectionOptions } from "node:tls"
import type { ClusterOptions, RedisOptions, SentinelOptions, ServerAddress } from "../RedisConfig.ts"

/** The options that are not the pool's. */
export type Own = OptionRules.Own<RedisOptions>

/** Those with a default of their own; durations are in milliseconds. */
export interface Defaults {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly tls: boolean | ConnectionOptions
  readonly family: 0 | 4 | 6
  readonly keepAlive: number
  readonly commandTimeout: number
  readonly maxReplySize: number
  readonly sharing: number
}

const port = OptionRules.count(1, 65_535)

const tls: OptionRules.Rule = {
  expects: "true, false or options of node:tls",
  is: (value) => OptionRules.flag.is(value) || OptionRules.object.is(value)
}

const address: Readonly<Record<keyof ServerAddress, OptionRules.Rule>> = { host: OptionRules.text, port }

const isNode = OptionRules.hasParts(address, "host", "port")

const nodes: OptionRules.Rule = {
  expects: "a list of at least one { host, port }",
  is: (value) => Array.isArray(value) && value.length > 0 && value.every(isNode)
}

const addressMap: OptionRules.Rule = {
  expects: "an object of { host, port } by \"host:port\"",
  is: (value) =>
    OptionRules.object.is(value) && !Array.isArray(value) &&
    Object.entries(value as object).every(([name, node]) => /:\d{1,5}$/.test(name) && isNode(node))
}

const checkInterval = OptionRules.duration("100 millis")

export const clusterTable: OptionRules.OwnTable<ClusterOptions, { readonly maxRedirections: number }> = {
  nodes: OptionRules.option(nodes, {
    does: "Some of the nodes, at least one: they tell where the others are."
  }),
  maxRedirections: OptionRules.option(OptionRules.count(1, 1000), {
    does: "How often the cluster may send one command on to another node, at least 1.",
    default: 16,
    tooSmall: "commands fail while slots move.",
    tooLarge: "in a broken cluster they go in circles."
  }),
  addressMap: OptionRules.option(addressMap, {
    does: "Where servers are in truth, by the address that the nodes name them by, for those behind NAT: `{ " +
      "\"10.0.0.1:6379\": { host: \"redis.example.com\", port: 7001 } }`.",
    defaults: "Default: all are where they say."
  })
}

export const sentinelTable: OptionRules.OwnTable<
  SentinelOptions,
  { readonly role: "primary" | "replica"; readonly checkInterval: number }
> = {
  nodes: OptionRules.option(nodes, {
    does: "The sentinels, at least one; name all of them. They are asked together at each dial, and as long as " +
      "the pool has a connection it listens to each of them, so that a new primary is known at once."
  }),
  name: OptionRules.option(OptionRules.text, {
    does: "The name of the primary among the sentinels."
  }),
  role: OptionRules.option(OptionRules.oneOf("primary", "replica"), {
    does: "With `\"replica\"` the pool reads from the replicas.",
    default: "primary"
  }),
  username: OptionRules.option(OptionRules.text, {
    does: "The user that logs in to the sentinels, if they ask."
  }),
  password: OptionRules.option(OptionRules.secret, {
    does: "The password of that user."
  }),
  tls: OptionRules.option(tls, {
    does: "TLS to the sentinels themselves, as in `RedisOptions.tls`. `false` for plain ones.",
    defaults: "Default: that of the servers."
  }),
  checkInterval: OptionRules.option(checkInterval, {
    does: "How often each sentinel is asked where the primary is, besides listening to it, at least 100 ms.",
    default: 10000,
    tooSmall: "the sentinels have work to do.",
    tooLarge: "a change that nobody was told of is noticed late."
  }),
  addressMap: OptionRules.option(addressMap, {
    does: "Where servers are in truth, by the address that the sentinels name them by, for those behind NAT: `{ " +
      "\"10.0.0.1:6379\": { host: \"redis.example.com\", port: 7001 } }`.",
    defaults: "Default: all are where they say."
  })
}

export const optionTable: OptionRules.OwnTable<Own, Defaults> = {
  url: OptionRules.option(OptionRules.secret, {
    does:
      "`redis://user:password@host:port/db`, or `rediss://` for TLS; `valkey://` and `valkeys://` are the same. A " +
      "socket of this machine is `unix:///run/redis.sock?db=1`. Special characters in its parts must be " +
      "percent-encoded. The password may be left out and given by `password`."
  }),
  host: OptionRules.option(OptionRules.text, {
    does: "The server's name or address.",
    default: "localhost"
  }),
  port: OptionRules.option(port, {
    does: "The port that the server listens on.",
    default: 6379
  }),
  path: OptionRules.option({
    expects: "the absolute path of a socket",
    is: (value) => OptionRules.text.is(value) && String(value).startsWith("/")
  }, {
    does: "A Unix socket of this machine, in place of `host` and `port`: `/run/redis.sock`."
  }),
  username: OptionRules.option(OptionRules.text, {
    does: "The user that logs in.",
    defaults: "Default: the server's `default` user."
  }),
  password: OptionRules.option(OptionRules.secretOrEffect, {
    does: "The password, or an effect that yields the one of the moment. The effect is run for each dial, so that a " +
      "password that rotates needs no restart."
  }),
  db: OptionRules.option(OptionRules.count(0, 1_000_000), {
    does: "The number of the database, from 0. A cluster has only that.",
    default: 0
  }),
  tls: OptionRules.option(tls, {
    does: "With `true` the connection is encrypted and the server's certificate verified. Options of `node:tls` say " +
      "whom to trust; what Node can't use of them is refused when the pool is made. Each server is told the name " +
      "that it is dialed by (SNI), unless they have a `servername`, which then is that of all servers.",
    default: false
  }),
  family: OptionRules.option({ expects: "0, 4 or 6", is: (value) => value === 0 || value === 4 || value === 6 }, {
    does: "Which addresses of the host are used: 4, 6 or both (0).",
    default: 0
  }),
  clientName: OptionRules.option({
    expects: "a text of printable characters without spaces",
    is: (value) => OptionRules.text.is(value) && /^[!-~]+$/.test(String(value))
  }, {
    does: "The name that `CLIENT LIST` shows, without spaces.",
    defaults: "Default: the pool's name."
  }),
  keepAlive: OptionRules.option(OptionRules.duration("1 second"), {
    does: "Idle time before TCP probes are sent, at least 1 second. A command that waits for ever (`BLPOP` with " +
      "`\"Infinity\"`) is sent anew after so long, so that it learns of a server that is gone behind a proxy that " +
      "is not; each time it is the last in the line of those who wait. `XREAD` with `\"$\"` is not, since it would " +
      "miss what comes meanwhile: give it a limit.",
    default: 30000,
    tooSmall: "the server and the network have more to do.",
    tooLarge: "a connection that is dead without a word is noticed late."
  }),
  cluster: OptionRules.option({
    expects: "{ nodes, maxRedirections?, addressMap? }, with one node { host, port } at least",
    is: OptionRules.hasParts(clusterTable, "nodes")
  }, {
    does:
      "The servers of a cluster, in place of `url` or `host`. A connection of the pool then is one socket to each " +
      "primary that was needed so far.",
    within: clusterTable
  }),
  sentinel: OptionRules.option({
    expects:
      "{ nodes, name, role?, username?, password?, tls?, checkInterval?, addressMap? }, with one node { host, port } at least, "
      + `and a checkInterval that is ${checkInterval.expects}`,
    is: OptionRules.hasParts(sentinelTable, "nodes", "name")
  }, {
    does: "The sentinels that know the server, in place of `url` or `host`. They are asked at each dial, and the " +
      "server itself is asked for its role, so that a dial never ends at a primary of yesterday.",
    within: sentinelTable
  }),
  commandTimeout: OptionRules.option(OptionRules.duration(1), {
    does:
      "How long a command waits for its answer, at least 1 ms. After that it fails with `CommandTimeout`, and its " +
      "connection is closed, with whatever else was on it. A command that blocks may do so for its own timeout " +
      "besides.",
    default: 10000,
    tooSmall: "slow commands (`KEYS`, scripts) cost connections.",
    tooLarge: "a server that hangs is noticed late."
  }),
  maxReplySize: OptionRules.option(OptionRules.count(65_536), {
    does: "How many bytes of memory one answer may take, at least 65536. What counts is what the answer takes here, " +
      "which for a list of short values is far more than came: each has about 180 bytes besides its own. Beyond " +
      "it the connection is closed, and the command fails with `ConnectionLost`.",
    default: 128 * 1024 * 1024,
    shows: "128 MiB",
    tooSmall: "large lists can't be read at once, but by `hscan` and its like.",
    tooLarge: "a server out of its mind can fill the memory with it."
  }),
  sharing: OptionRules.option(OptionRules.count(1, 1024), {
    does: "How many single commands may be on one connection at once, from 1 to 1024. What several callers send at " +
      "the same moment leaves together, so that many of them on few connections are faster than each on its own. " +
      "Commands that leave something behind or that block always have a connection to themselves.",
    default: 128,
    tooSmall: "more connections and less speed; with 1 each command has one to itself.",
    tooLarge: "a connection that is lost fails as many commands."
  })
}
