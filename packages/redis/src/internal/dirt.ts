/**
 * The traces of commands in a connection.
 */
import type { EncodedArg } from "./request.ts"

/** The trace of one command in its connection. */
export type Effect =
  /** Nothing that outlives its answer. */
  | "none"
  /** It may keep the connection busy for as long as it likes. */
  | "blocks"
  | "opens"
  | "watches"
  | "unwatches"
  | "ends"
  | "selects"
  /** The connection can't be made clean: it is replaced after the lease. */
  | "stains"

type Judge = Effect | ((args: ReadonlyArray<EncodedArg>) => Effect)

const word = (arg: EncodedArg | undefined): string => arg === undefined ? "" : arg.toString().toUpperCase()

const withBlock: Judge = (args) => {
  for (const arg of args) {
    // Behind it come keys, which may have any name.
    if (word(arg) === "STREAMS") return "none"
    if (word(arg) === "BLOCK") return "blocks"
  }
  return "none"
}

const judges: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ["MULTI", "opens"],
  ["EXEC", "ends"],
  ["DISCARD", "ends"],
  ["WATCH", "watches"],
  ["UNWATCH", "unwatches"],
  ["SELECT", "selects"],
  ...["BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "WAIT", "WAITAOF"].map(
    (name) => [name, "blocks"] as const
  ),
  ["XREAD", withBlock],
  ["XREADGROUP", withBlock],
  ["CLIENT", (args) => clientQuestions.has(word(args[0])) ? "none" : "stains"],
  ...[
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "MONITOR",
    "AUTH",
    "HELLO",
    "RESET",
    "QUIT",
    "READONLY",
    "READWRITE",
    "ASKING",
    "SYNC",
    "PSYNC",
    "REPLCONF",
    "SHUTDOWN"
  ].map((name) => [name, "stains"] as const)
])

/** The subcommands of CLIENT that change nothing of the connection that asks. */
const clientQuestions: ReadonlySet<string> = new Set([
  "GETNAME",
  "GETREDIR",
  "HELP",
  "ID",
  "INFO",
  "KILL",
  "LIST",
  "PAUSE",
  "TRACKINGINFO",
  "UNBLOCK",
  "UNPAUSE"
])

export const of = (name: string, args: ReadonlyArray<EncodedArg>): Effect => {
  const judge = judges.get(name)
  return judge === undefined ? "none" : typeof judge === "string" ? judge : judge(args)
}

/** Whether a command begins or ends a transaction. */
export const isBound = (name: string): boolean => {
  const effect = of(name, [])
  return effect === "opens" || effect === "ends"
}

/** Whether all that a command does is to set the state of its connection, for others on it. */
export const isPreparation = (command: { readonly name: string; readonly args: ReadonlyArray<unknown> }): boolean => {
  const effect = of(command.name, command.args as ReadonlyArray<EncodedArg>)
  return effect !== "none" && effect !== "blocks" && command.name !== "SHUTDOWN"
}

/** How long a command that blocks may do so, in milliseconds; `Infinity` for one that waits for ever. */
export const blockLimit = (name: string, args: ReadonlyArray<EncodedArg>): number => {
  const [index, unit] = name === "BLMPOP" || name === "BZMPOP"
    ? [0, 1000]
    : name === "XREAD" || name === "XREADGROUP"
    ? [args.findIndex((arg) => word(arg) === "BLOCK") + 1, 1]
    : [args.length - 1, name.startsWith("WAIT") ? 1 : 1000]
  const limit = Number(args[index]?.toString())
  return limit > 0 ? limit * unit : Infinity
}

/** Whether a command may be sent on a connection that others use at the same time. */
export const isShareable = (command: { readonly name: string; readonly args: ReadonlyArray<unknown> }): boolean =>
  of(command.name, command.args as ReadonlyArray<EncodedArg>) === "none"
