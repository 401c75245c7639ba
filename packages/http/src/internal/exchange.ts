/**
 * One request and its response, as the wire reports them: undici, whose handler it is, or our own over HTTP/2.
 *
 * The caller is told when the head has come, the lease when the whole is over. Both are told in a microtask, when the
 * wire has done all it does with the piece of data at hand: only then it is known whether the body came with the head,
 * which is how most answers of an API come, and whether the connection stays open. A wire that reports head and body one by
 * one has the head held back for the rest of the turn, so that a caller of such an answer is resumed once too.
 */
import { GivenUp, Left, SocketGone } from "./faults.ts"
import type { Outgoing } from "./outgoing.ts"

/** So many bytes of a body that nobody reads are taken in; then the server is stopped until somebody does. */
const bufferLimit = 64 * 1024

const noHeaders: Exchange["headers"] = {}

const notModified = 304

const never = (): boolean => false

type Step = "queued" | "sent" | "body" | "done" | "failed"

/** How an exchange is governed from this side. */
export interface Flow {
  /** Ends it: the connection is closed, or with HTTP/2 the stream reset. `onResponseError` is told at once. */
  readonly abort: (error: Error) => void
  readonly pause: () => void
  readonly resume: () => void
}

/** The lease of a borrower that sends requests of its own. */
interface Borrower {
  readonly isActive: boolean
}

/** The guard that gives up what nobody wants. */
interface Guard {
  /** Gives up the body of an error if nobody begins to read it soon. */
  readonly hurry: (exchange: Exchange) => void
  /** Does something so many milliseconds later. */
  readonly after: (millis: number, f: () => void) => void
}

export class Exchange {
  step: Step = "queued"
  status = 0
  headers: Record<string, string | Array<string> | undefined> = noHeaders
  /** The chunks of the body that came and have not been read. */
  chunks: Array<Uint8Array> = []
  /** How many bytes those are. */
  waiting = 0
  received = 0
  error: unknown = undefined
  /** Where it was sent. */
  origin = ""
  /** The request that was sent. */
  outgoing: Pick<Outgoing, "method" | "path"> | undefined = undefined
  /** Whether it is the pool's own, and none of the program's requests. */
  isOwn = false
  /** Whether it has a connection. */
  wasHanded = false
  /** Whether anything of the request may have been written. */
  wasSent = false
  /** Whether anything of a response has come. */
  isAnswered = false
  /** Whether the request has gone out to its end. */
  isSentWhole = false
  /** Whether it is the caller's own body that is waited for. */
  isBodyAwaited: () => boolean = never
  /** Whether all of the body is wanted, however large. */
  isCollecting = false
  /** Whether anybody has begun to read the body. */
  wasRead = false
  /** How many bytes the body may have. */
  maxSize = Infinity
  guard: Guard | undefined = undefined
  /** The lease whose end is the end of its body too; `undefined` if it holds one itself until it is over. */
  lease: Borrower | undefined = undefined
  /** When it was sent. */
  sentAt = 0
  /** Whether it failed so soon that its connection must have been closing when it was sent. */
  metClosing = false
  /** When the watch last saw something happen. */
  movedAt = 0
  /** How many bytes had come over the connection when the request began. */
  bytesBefore = 0
  /** Tells the lease that the whole is over, once. */
  onEnd: (() => void) | undefined = undefined
  /** Tells the caller that the head has come or never will, once. */
  onHead: (() => void) | undefined = undefined
  /** Tells the wire of a head that has no body, whatever length it says. */
  onNotModified: ((headers: Exchange["headers"]) => void) | undefined = undefined
  /** Tells the reader of the body that there is more, or no more. */
  onMore: (() => void) | undefined = undefined
  private seen = -1
  /** How many pieces of the request's body have gone out. */
  private sent = 0
  private flow: Flow | undefined = undefined
  private isPaused = false
  private isScheduled = false
  /** Whether the head has come and is not told before the turn ends, or the body does. */
  private isHeld = false
  /** The one that is told its news after this one. */
  following: Exchange | undefined = undefined

  get isOver(): boolean {
    return this.step === "done" || this.step === "failed"
  }

  /** Whether the server has not processed the request because its connection ended. */
  get isLost(): boolean {
    return this.error instanceof SocketGone
  }

  /** Whether somebody waits for more of the body. If not, it is the reader that is waited for. */
  get isAwaited(): boolean {
    return this.isCollecting || this.onMore !== undefined
  }

  /** Whether whoever is waited for did anything since this was last asked. */
  hasMoved(): boolean {
    if (this.step !== "body" && this.isBodyAwaited()) return true
    const read = this.received - this.waiting
    const now = this.step !== "body" ? -2 - this.sent : this.isAwaited ? 1 + 2 * this.received : 2 + 2 * read
    if (now === this.seen) return false
    this.seen = now
    return true
  }

  onRequestStart(flow: Flow): void {
    // Thrown, since to abort it would close a connection on which nothing was written.
    if (this.isOver) throw this.error
    this.flow = flow
    this.step = "sent"
    this.wasSent = true
  }

  /** A piece of the request's body has gone out. */
  onBodySent(): void {
    this.sent++
  }

  onRequestSent(): void {
    this.sent++
    this.isSentWhole = true
  }

  onResponseStarted(): void {
    this.isAnswered = true
  }

  onResponseStart(_: unknown, status: number, headers: Exchange["headers"]): void {
    if (status < 200) return
    if (status === notModified) this.onNotModified?.(headers)
    this.begin(status, headers)
    this.later()
  }

  /** A head has come whose body may be in the same piece of data. */
  onResponseHead(status: number, headers: Exchange["headers"]): void {
    if (status < 200) return
    this.begin(status, headers)
    this.isHeld = true
    hold(this)
  }

  private begin(status: number, headers: Exchange["headers"]): void {
    this.isAnswered = true
    this.step = "body"
    this.status = status
    this.headers = headers
  }

  onResponseData(flow: Flow, chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.waiting += chunk.length
    this.received += chunk.length
    if (this.received > this.maxSize) return this.abort(tooLarge(this.maxSize))
    if (this.waiting >= bufferLimit && !this.isCollecting) {
      this.isPaused = true
      flow.pause()
    }
    if (this.onMore !== undefined) this.later()
  }

  onResponseEnd(): void {
    if (this.isOver) return
    this.step = "done"
    this.later()
  }

  onResponseError(_: unknown, error: unknown): void {
    if (this.isOver) return
    this.release()
    this.step = "failed"
    this.error = error
    this.later()
  }

  /** Takes what has come of the body, and lets more of it come. */
  take(): Array<Uint8Array> {
    const taken = this.chunks
    this.wasRead = true
    this.chunks = []
    this.waiting = 0
    this.go()
    return taken
  }

  /** From here on everything is taken in. */
  collect(): void {
    this.isCollecting = true
    this.wasRead = true
    this.go()
  }

  /** Ends it early: the connection is closed, or with HTTP/2 the stream reset. The end may be told at once. */
  abort(error: Error, now = false): void {
    if (this.isOver) return
    this.release()
    this.step = "failed"
    this.error = error
    this.flow?.abort(error)
    if (now) this.tell()
    else this.later()
  }

  /** Ends it because no more of it is wanted: what little is left is read away, for the connection's sake. */
  leave(why: string): void {
    if (this.isNearlyOver) {
      this.chunks = []
      this.waiting = 0
      this.collect()
    } else this.abort(new Left(why))
  }

  /** Whether the body is as long as its head has declared. */
  get hasDeclaredLength(): boolean {
    return this.step === "body" && Number(this.headers["content-length"] ?? Number.NaN) === this.received
  }

  /** Whether little enough is left of the body to wait for. */
  get isNearlyOver(): boolean {
    return this.step === "body" && Number(this.headers["content-length"] ?? Infinity) - this.received < bufferLimit
  }

  /** Tells of a head that is held back: whatever becomes of the body, the caller gets the status that came. */
  release(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.tell()
  }

  private go(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.flow?.resume()
  }

  private later(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    tellLater(this)
  }

  tell(): void {
    this.isScheduled = false
    this.isHeld = false
    if (this.isOver) {
      const { onEnd } = this
      this.onEnd = undefined
      onEnd?.()
    }
    const { onHead } = this
    if (onHead !== undefined && this.step !== "sent" && this.step !== "queued") {
      this.onHead = undefined
      onHead()
    }
    this.onMore?.()
  }
}

const tooLarge = (limit: number): GivenUp =>
  new GivenUp(`the body of the response is larger than the max size of ${limit} bytes (maxResponseSize)`)

/** A microtask by way of a promise costs less than `queueMicrotask`. */
const resolved = Promise.resolve()

/** The exchanges whose news are told in the next microtask, linked: most of the time it is one, and an array costs more. */
let firstUntold: Exchange | undefined = undefined
let lastUntold: Exchange | undefined = undefined

const tellLater = (exchange: Exchange): void => {
  if (lastUntold === undefined) {
    firstUntold = exchange
    void resolved.then(tellAll)
  } else lastUntold.following = exchange
  lastUntold = exchange
}

const tellAll = (): void => {
  let exchange = firstUntold
  firstUntold = undefined
  lastUntold = undefined
  while (exchange !== undefined) {
    const { following }: Exchange = exchange
    exchange.following = undefined
    exchange.tell()
    exchange = following
  }
}

/** The exchanges whose heads are held back until this turn of the event loop ends. */
let held: Array<Exchange> = []

const hold = (exchange: Exchange): void => {
  // oxlint-disable-next-line no-restricted-globals -- called by the session, where no fiber runs
  if (held.length === 0) setImmediate(releaseAll)
  held.push(exchange)
}

const releaseAll = (): void => {
  const exchanges = held
  held = []
  for (const exchange of exchanges) exchange.release()
}
