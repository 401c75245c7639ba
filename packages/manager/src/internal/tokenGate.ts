/**
 * Compares what is sent with the token, at a pace that makes guessing hopeless, and tells the log of wrong ones.
 *
 * Each address may be wrong a few times; after that what comes from there, the right token included, waits its turn to be
 * compared, and whoever would wait too long is turned away. Nobody is locked out, and no other address waits.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { createHash, timingSafeEqual } from "node:crypto"
import { oneLine } from "./text.ts"

/** How many wrong tokens of an address are answered at once; each second gives one back. */
const freely = 20
/** ms between two comparisons for an address that was wrong more often. */
const pace = 250
/** ms that a request waits for its turn at most. */
const longestWait = 1000
/** The gate remembers the attempts of so many addresses, and forgets the one heard of longest ago first. */
const mostAddresses = 1000
/** ms after which wrong tokens are counted anew for the log. */
const countedFor = 60_000

interface Attempts {
  /** How many more may be wrong, as of `at`. */
  left: number
  at: number
  /** When the next comparison may be. */
  next: number
}

/** `busy`: not compared. */
export type Verdict = "right" | "wrong" | "busy"

export class TokenGate {
  private readonly isToken: (offered: string) => boolean
  private readonly attempts = new Map<string, Attempts>()
  private wrong = 0
  private wrongSince = -Infinity

  constructor(token: string) {
    const expected = digest(token)
    // Digests have one length and tell nothing, so that the time of the comparison tells nothing of the token.
    this.isToken = (offered) => timingSafeEqual(expected, digest(offered))
  }

  /** A client without a token is not guessing. */
  check(authorization: string | undefined, address: string): Effect.Effect<Verdict> {
    const offered = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1]
    if (offered === undefined) return Effect.succeed("wrong")
    return Effect.gen({ self: this }, function*() {
      const wait = this.waitOf(address, yield* now)
      if (wait > longestWait) return "busy"
      if (wait > 0) yield* Effect.sleep(wait)
      if (this.isToken(offered)) return "right"
      yield* this.noteWrong(address)
      return "wrong"
    })
  }

  /** Takes a turn, if it is not too far away. */
  private waitOf(address: string, at: number): number {
    const attempts = this.attempts.get(address)
    if (attempts === undefined) return 0
    attempts.left = Math.min(freely, attempts.left + (at - attempts.at) / 1000)
    attempts.at = at
    if (attempts.left >= 1) return 0
    const turn = Math.max(at, attempts.next)
    if (turn - at <= longestWait) attempts.next = turn + pace
    return turn - at
  }

  private readonly noteWrong = Effect.fnUntraced({ self: this }, function*(address: string) {
    const at = yield* now
    const attempts = this.attempts.get(address) ?? { left: freely, at, next: at }
    attempts.left = Math.max(0, attempts.left - 1)
    // The latest at the end: the first is then the one to forget.
    this.attempts.delete(address)
    this.attempts.set(address, attempts)
    if (this.attempts.size > mostAddresses) this.attempts.delete(this.attempts.keys().next().value!)
    if (at - this.wrongSince > countedFor) {
      this.wrong = 0
      this.wrongSince = at
    }
    this.wrong++
    // A line each would be one more thing to flood: the first, the tenth, the hundredth ... tell enough.
    if (!/^10*$/.test(String(this.wrong))) return
    const many = this.wrong === 1 ? "a wrong token came" : `${this.wrong} wrong tokens came`
    const span = this.wrong === 1 ? "" : ` in ${Math.ceil((at - this.wrongSince) / 1000)} s, the last`
    yield* Effect.logWarning(`monitoring: ${many}${span} from ${oneLine(address)}`)
  })
}

/** In milliseconds, whatever is done to the wall clock. */
const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()
