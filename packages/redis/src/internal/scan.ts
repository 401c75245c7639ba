/**
 * Steps through keys and members, as streams.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Arg, type Command, type Decoder, float, list, make, pair, pairs, text } from "../RedisCommand.ts"
import { onlyKnown } from "./commands/args.ts"
import type { ScanOptions } from "../RedisConnector.ts"

/** What one command gave, and how many primaries there are to be asked. */
export interface Step<A> {
  readonly value: A
  readonly primaries: number
}

/** Whoever runs the steps: a lease, or a pool that takes a connection for each. */
export interface Stepper<E, R> {
  readonly runAt: <A>(command: Command<A>, primary: number | undefined) => Effect.Effect<Step<A>, E, R>
}

interface Place {
  readonly primary: number
  readonly cursor: string
}

const start: Place = { primary: 0, cursor: "0" }

const steps = <A, E, R>(
  stepper: Stepper<E, R>,
  command: (cursor: string) => Command<readonly [string, ReadonlyArray<A>]>,
  isSpread: boolean
): Stream.Stream<A, E, R> =>
  Stream.paginate(
    start,
    ({ cursor, primary }) =>
      Effect.map(
        stepper.runAt(command(cursor), isSpread ? primary : undefined),
        ({ primaries, value: [next, page] }) => {
          const place = next !== "0"
            ? Option.some({ primary, cursor: next })
            : isSpread && primary + 1 < primaries
            ? Option.some({ primary: primary + 1, cursor: "0" })
            : Option.none()
          return [page, place] as const
        }
      )
  )

const args = (options: ScanOptions = {}): ReadonlyArray<Arg> => {
  onlyKnown(options, ["match", "count", "type"])
  return [
    ...(options.match === undefined ? [] : ["MATCH", options.match]),
    ...(options.count === undefined ? [] : ["COUNT", options.count]),
    ...(options.type === undefined ? [] : ["TYPE", options.type])
  ]
}

export const keys = <E, R>(stepper: Stepper<E, R>, options?: ScanOptions): Stream.Stream<string, E, R> =>
  steps(stepper, (cursor) => make("SCAN", [cursor, ...args(options)], pair(text, list(text))), true)

/** Steps through what is in one key. */
export const within = <A, E, R>(
  stepper: Stepper<E, R>,
  name: "HSCAN" | "SSCAN" | "ZSCAN",
  page: Decoder<ReadonlyArray<A>>,
  key: Arg,
  options?: ScanOptions
): Stream.Stream<A, E, R> =>
  steps(stepper, (cursor) => make(name, [key, cursor, ...args(options)], pair(text, page)), false)

export const fields = pairs(text, text)
export const members = list(text)
export const scored = pairs(text, float)
