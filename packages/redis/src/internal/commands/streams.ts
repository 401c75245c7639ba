/**
 * The commands of streams.
 */
import {
  any,
  type Arg,
  type Command,
  int,
  list,
  make,
  map,
  ok,
  orUndefined,
  pair,
  pairs,
  type Reply,
  type Span,
  text
} from "../../RedisCommand.ts"
import { blockMillis, type Fields, flatten, idleMillis, onlyKnown, some } from "./args.ts"
import { maybeText } from "./maybe.ts"

/** One entry of a stream. */
export interface StreamEntry {
  /** Such as `"1692632086370-0"`. */
  readonly id: string
  /** In the order in which they were added. One may be there several times. */
  readonly fields: ReadonlyArray<readonly [field: string, value: string]>
}

/** How `xadd` adds. */
export interface XaddOptions {
  /** Default `"*"`: the server's clock. */
  readonly id?: string | undefined
  /** Drops the oldest entries beyond so many, a few more or less. */
  readonly maxLength?: number | undefined
  /** Does nothing if the stream does not exist. */
  readonly noCreate?: boolean | undefined
}

/** How much `xread` and `xreadGroup` read. */
export interface XreadOptions {
  /** Entries a stream at most. */
  readonly count?: number | undefined
  /** Waits for so long if there is nothing. Such a command has a connection to itself. */
  readonly block?: Span | undefined
}

const fields = map(orUndefined(pairs(text, text)), (read): StreamEntry["fields"] => read ?? [])
const entry = map(pair(text, fields), ([id, fields]): StreamEntry => ({ id, fields }))
const entries = list(entry)
const read = map(
  orUndefined(pairs(text, entries)),
  (streams): Readonly<Record<string, ReadonlyArray<StreamEntry>>> => Object.fromEntries(streams ?? [])
)

const xaddArgs = (key: Arg, values: Fields, options: XaddOptions = {}): ReadonlyArray<Arg> => {
  onlyKnown(options, ["id", "maxLength", "noCreate"])
  return [
    key,
    ...(options.noCreate === true ? ["NOMKSTREAM"] : []),
    ...(options.maxLength === undefined ? [] : ["MAXLEN", "~", options.maxLength]),
    options.id ?? "*",
    ...flatten(values)
  ]
}

const readArgs = (streams: Readonly<Record<string, string>>, options: XreadOptions = {}): ReadonlyArray<Arg> => {
  onlyKnown(options, ["count", "block"])
  return [
    ...(options.count === undefined ? [] : ["COUNT", options.count]),
    ...(options.block === undefined ? [] : ["BLOCK", blockMillis(options.block)]),
    "STREAMS",
    ...Object.keys(streams),
    ...Object.values(streams)
  ]
}

const countArgs = (count: number | undefined): ReadonlyArray<Arg> => count === undefined ? [] : ["COUNT", count]

export const streams = {
  /** The new entry's id; `undefined` if there is no stream and none was to be made. */
  xadd: (key: Arg, fields: Fields, options?: XaddOptions): Command<string | undefined> =>
    flatten(fields).length === 0
      ? some("XADD", [key], [], "field", maybeText)
      : make("XADD", xaddArgs(key, fields, options), maybeText),
  xlen: (key: Arg): Command<number> => make("XLEN", [key], int),
  xrange: (key: Arg, start: string, end: string, count?: number): Command<ReadonlyArray<StreamEntry>> =>
    make("XRANGE", [key, start, end, ...countArgs(count)], entries),
  xrevRange: (key: Arg, end: string, start: string, count?: number): Command<ReadonlyArray<StreamEntry>> =>
    make("XREVRANGE", [key, end, start, ...countArgs(count)], entries),
  /** Entries that came after the given ids (`"$"`: from now on), by stream. */
  xread: (
    streams: Readonly<Record<string, string>>,
    options?: XreadOptions
  ): Command<Readonly<Record<string, ReadonlyArray<StreamEntry>>>> => make("XREAD", readArgs(streams, options), read),
  /** The same for a member of a group. `">"` asks for entries that no member was given yet. */
  xreadGroup: (
    group: Arg,
    consumer: Arg,
    streams: Readonly<Record<string, string>>,
    options?: XreadOptions
  ): Command<Readonly<Record<string, ReadonlyArray<StreamEntry>>>> =>
    make("XREADGROUP", ["GROUP", group, consumer, ...readArgs(streams, options)], read),
  xgroupCreate: (
    key: Arg,
    group: Arg,
    id: string,
    options?: { readonly makeStream?: boolean | undefined }
  ): Command<void> =>
    make("XGROUP", ["CREATE", key, group, id, ...(options?.makeStream === true ? ["MKSTREAM"] : [])], ok),
  xgroupDestroy: (key: Arg, group: Arg): Command<number> => make("XGROUP", ["DESTROY", key, group], int),
  xack: (key: Arg, group: Arg, ...ids: ReadonlyArray<string>): Command<number> =>
    some("XACK", [key, group], ids, "id", int),
  xdel: (key: Arg, ...ids: ReadonlyArray<string>): Command<number> => some("XDEL", [key], ids, "id", int),
  xtrim: (key: Arg, maxLength: number): Command<number> => make("XTRIM", [key, "MAXLEN", maxLength], int),
  /** Takes over entries that a member was given so long ago and never acknowledged. */
  xautoClaim: (
    key: Arg,
    group: Arg,
    consumer: Arg,
    idle: Span,
    start: string
  ): Command<Reply> => make("XAUTOCLAIM", [key, group, consumer, idleMillis(idle), start], any)
}
