/**
 * Steps through keys and members, as streams.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Arg, type Command, type Decoder, float, list, make, pair, pairs, text } from "../RedisCommand.ts"
import { onlyKnown } from "./commands/args.ts"
import { type Address, addressText } from "./settings.ts"
import type { ScanOptions } from "./connectionModel.ts"

/**
 * The answer of one command, the primary that gave it, and all that there are now. Where there is but one server, none
 * is named.
 */
export interface Step<A> {
  readonly value: A
  readonly at: Address | undefined
  readonly primaries: ReadonlyArray<Address>
}

/** The runner of the steps: a lease, or a pool that takes a connection for each. */
export interface Stepper<E, R> {
  readonly run: <A>(command: Command<A>) => Effect.Effect<A, E, R>
  /** At that primary, or at the first. */
  readonly runAt: <A>(command: Command<A>, primary: Address | undefined) => Effect.Effect<Step<A>, E, R>
}

interface Place {
  readonly primary: Address | undefined
  /** It means something to the server that gave it, and to no other. */
  readonly cursor: string
  /** The primaries that are done. Their order and number may change meanwhile. */
  readonly done: ReadonlyArray<string>
}

const start: Place = { primary: undefined, cursor: "0", done: [] }

type Page<A> = readonly [cursor: string, page: ReadonlyArray<A>]

const next = ({ done }: Place, { at, primaries, value: [cursor] }: Step<Page<unknown>>): Option.Option<Place> => {
  if (cursor !== "0") return Option.some({ primary: at, cursor, done })
  const doneNow = at === undefined ? done : [...done, addressText(at)]
  const primary = primaries.find((address) => !doneNow.includes(addressText(address)))
  return primary === undefined ? Option.none() : Option.some({ primary, cursor: "0", done: doneNow })
}

const args = (options: ScanOptions = {}): ReadonlyArray<Arg> => {
  onlyKnown(options, ["match", "count", "type"])
  return [
    ...(options.match === undefined ? [] : ["MATCH", options.match]),
    ...(options.count === undefined ? [] : ["COUNT", options.count]),
    ...(options.type === undefined ? [] : ["TYPE", options.type])
  ]
}

export const keys = <A, E, R>(
  stepper: Stepper<E, R>,
  key: Decoder<A>,
  options?: ScanOptions
): Stream.Stream<A, E, R> =>
  Stream.paginate(start, (place) =>
    Effect.map(
      stepper.runAt(make("SCAN", [place.cursor, ...args(options)], pair(text, list(key))), place.primary),
      (step) => [step.value[1], next(place, step)] as const
    ))

/** Steps through what is in one key. */
export const within = <A, E, R>(
  stepper: Stepper<E, R>,
  name: "HSCAN" | "SSCAN" | "ZSCAN",
  page: Decoder<ReadonlyArray<A>>,
  key: Arg,
  options?: ScanOptions
): Stream.Stream<A, E, R> =>
  Stream.paginate("0", (cursor) =>
    Effect.map(
      stepper.run(make(name, [key, cursor, ...args(options)], pair(text, page))),
      ([next, found]) => [found, next === "0" ? Option.none() : Option.some(next)] as const
    ))

export const fields = pairs(text, text)
export const members = list(text)
export const scored = pairs(text, float)
