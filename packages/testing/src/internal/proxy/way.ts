/**
 * One direction of a connection: what one side did, in order, on its way to the other.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Net from "node:net"
import type { CutAfter, Faults } from "./faults.ts"
import { end, finishOne, type Link, resetOne } from "./link.ts"

export interface Way {
  readonly from: Net.Socket
  readonly to: Net.Socket
  readonly faults: Faults
  /** Ends the connection, when this is the way of the answers and `cutAfter` says so. */
  readonly link: Link
  readonly waiting: Array<Happening>
  readonly arrived: Latch.Latch
  /** Bytes taken from the sender that the receiver has not taken yet. */
  held: number
  /** When the bytes before have gone through, at the limited speed. */
  freeAt: number
  cutAfter: CutAfter | undefined
  bytesLeft: number
}

/** An event on one side, and when it may be passed on, in milliseconds. */
interface Happening {
  readonly due: number
  readonly what: Buffer | "end" | "error" | "close"
}

/** As much as a socket holds: a sender who is faster than the receiver, or than the limit, has to wait. */
const holdsAtMost = 65_536

/** The listeners are there at once: a socket's error without one would end the process. */
export const open = (link: Link, from: Net.Socket, to: Net.Socket, faults: Faults): Way => {
  const way: Way = {
    link,
    from,
    to,
    faults,
    waiting: [],
    arrived: Latch.makeUnsafe(false),
    held: 0,
    freeAt: 0,
    cutAfter: undefined,
    bytesLeft: Infinity
  }
  from.on("data", (chunk: Buffer) => {
    way.held += chunk.length
    if (way.held > holdsAtMost) from.pause()
    add(way, chunk, 0)
  })
  from.on("end", () => add(way, "end", faults.slowClose))
  from.on("error", () => add(way, "error", faults.slowClose))
  from.on("close", () => add(way, "close", 0))
  return way
}

const add = (way: Way, what: Happening["what"], later: number): void => {
  const { clock, delay, jitter, random } = way.faults
  const takes = delay + jitter * random.nextDoubleUnsafe() + later
  way.waiting.push({ due: clock.currentTimeMillisUnsafe() + takes, what })
  way.arrived.openUnsafe()
}

/** Passes everything on until the sender's socket is closed. */
export const carry = (way: Way): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (true) {
      const next = way.waiting.shift()
      if (next === undefined) {
        way.arrived.closeUnsafe()
        yield* way.arrived.await
        continue
      }
      yield* until(way, next.due)
      yield* way.faults.gate.await
      if (next.what === "close") return
      if (next.what === "end") finishOne(way.to)
      else if (next.what === "error") resetOne(way.to)
      else yield* carryData(way, next.what)
    }
  })

const until = (way: Way, due: number): Effect.Effect<void> => {
  const wait = due - way.faults.clock.currentTimeMillisUnsafe()
  return wait > 0 ? Effect.sleep(wait) : Effect.void
}

const carryData = Effect.fnUntraced(function*(way: Way, chunk: Buffer) {
  let offset = 0
  while (offset < chunk.length) {
    const piece = chunk.subarray(offset, offset + pieceSize(way.faults))
    offset += piece.length
    if (way.faults.bytesPerSecond < Infinity) yield* goThrough(way, piece.length)
    yield* way.faults.gate.await
    if (way.faults.slice === Infinity) write(way, piece)
    else yield* writeAlone(way, piece)
  }
})

/** A limited speed is kept over 20 ms, not only on the whole. */
const pieceSize = ({ bytesPerSecond, slice }: Faults): number =>
  Math.min(slice, Math.max(1, Math.floor(bytesPerSecond / 50)))

const goThrough = (way: Way, bytes: number): Effect.Effect<void> => {
  const { bytesPerSecond, clock } = way.faults
  way.freeAt = Math.max(way.freeAt, clock.currentTimeMillisUnsafe()) + bytes / bytesPerSecond * 1000
  return until(way, way.freeAt)
}

/** Lets the other side read before the next write, else it would see both at once. */
const writeAlone = (way: Way, piece: Buffer): Effect.Effect<void> =>
  Effect.callback<void>((resume) => write(way, piece, () => resume(Effect.void))).pipe(
    Effect.andThen(Effect.sleep(1)),
    Effect.andThen(Effect.yieldNow)
  )

const write = (way: Way, piece: Buffer, onTaken = (): void => {}): void => {
  const taken = (): void => {
    way.held -= piece.length
    if (way.held <= holdsAtMost && way.from.isPaused()) way.from.resume()
    onTaken()
  }
  if (!way.to.writable) return taken()
  const passes = Math.min(piece.length, left(way))
  way.bytesLeft -= passes
  const ending = way.bytesLeft === 0 ? way.cutAfter?.ending : undefined
  way.to.write(piece.subarray(0, passes), () => {
    taken()
    // Not before the last bytes are out: a reset discards what is still to be sent.
    if (ending !== undefined) end(way.link, ending)
  })
}

/** How many bytes may still pass before the connection is cut. */
const left = (way: Way): number => {
  const rule = way.to === way.link.client ? way.faults.cutAfter : undefined
  if (rule !== way.cutAfter) {
    way.cutAfter = rule
    way.bytesLeft = rule?.bytes ?? Infinity
  }
  return way.bytesLeft
}
