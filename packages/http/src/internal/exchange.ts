/**
 * One request and its response, as undici reports them.
 *
 * The caller is told when the head has come, the lease when the whole is over. Both are told in a microtask, when undici
 * has done all it does with the piece of data at hand: only then it is known whether the body came with the head, which
 * is how most answers of an API come, and whether the connection stays open.
 */
import type { Dispatcher } from "undici"

/** So many bytes of a body that nobody reads are taken in; then the server is stopped until somebody does. */
const bufferLimit = 64 * 1024

/** What a request asks of undici. */
export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: NonNullable<Dispatcher.DispatchOptions["body"]> | null
}

/** We gave the request up ourselves: it says nothing about the server. */
export class GivenUp extends Error {
  override readonly name = "GivenUp"
}

/** What undici says of a request that can't be sent, or whose body is not as long as it said. */
const badRequests = new Set(["UND_ERR_INVALID_ARG", "UND_ERR_NOT_SUPPORTED", "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH"])

/** Whether an error is our side's, so that it says nothing about the server. */
export const isOurs = (error: unknown): boolean =>
  error instanceof GivenUp ||
  (error instanceof Error && "code" in error && typeof error.code === "string" && badRequests.has(error.code))

/** The connection ended, and the server has not seen the request, or said that it will not look at it. */
export class SocketGone extends Error {
  override readonly name = "SocketGone"
  override readonly message: string = "the connection ended before the request was sent"
}

const noHeaders: Exchange["headers"] = {}

type Step = "queued" | "sent" | "body" | "done" | "failed"

export class Exchange implements Dispatcher.DispatchHandler {
  step: Step = "queued"
  status = 0
  headers: Record<string, string | Array<string> | undefined> = noHeaders
  /** What came of the body and has not been read. */
  chunks: Array<Uint8Array> = []
  /** How many bytes those are. */
  waiting = 0
  received = 0
  error: unknown = undefined
  /** Where it was sent. */
  origin = ""
  /** Whether it has a connection. */
  wasHanded = false
  /** Whether anything of the request may have been written. */
  wasSent = false
  /** Whether anything of a response has come. */
  isAnswered = false
  /** Whether all of the body is wanted, however large. */
  isCollecting = false
  /** When the watch last saw something happen. */
  movedAt = 0
  /** How many bytes had come over the connection when the request began. */
  bytesBefore = 0
  /** Tells the lease that the whole is over, once. */
  onEnd: (() => void) | undefined = undefined
  /** Tells the caller that the head has come or never will, once. */
  onHead: (() => void) | undefined = undefined
  /** Tells the reader of the body that there is more, or no more. */
  onMore: (() => void) | undefined = undefined
  private seen = -1
  private controller: Dispatcher.DispatchController | undefined = undefined
  private isPaused = false
  private isScheduled = false

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
    const read = this.received - this.waiting
    const now = this.step !== "body" ? 0 : this.isAwaited ? 1 + 2 * this.received : 2 + 2 * read
    if (now === this.seen) return false
    this.seen = now
    return true
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown, since to abort it would close a connection on which nothing was written.
    if (this.isOver) throw this.error
    this.controller = controller
    this.step = "sent"
    this.wasSent = true
  }

  onResponseStarted(): void {
    this.isAnswered = true
  }

  onResponseStart(_: unknown, status: number, headers: Exchange["headers"]): void {
    if (status < 200) return
    this.isAnswered = true
    this.step = "body"
    this.status = status
    this.headers = headers
    this.later()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.chunks.push(chunk)
    this.waiting += chunk.length
    this.received += chunk.length
    if (this.waiting >= bufferLimit && !this.isCollecting) {
      this.isPaused = true
      controller.pause()
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
    this.step = "failed"
    this.error = error
    this.later()
  }

  /** Takes what has come of the body, and lets more of it come. */
  take(): Array<Uint8Array> {
    const taken = this.chunks
    this.chunks = []
    this.waiting = 0
    this.flow()
    return taken
  }

  /** From here on everything is taken in. */
  collect(): void {
    this.isCollecting = true
    this.flow()
  }

  /** Ends it early: the connection is closed, or with HTTP/2 the stream reset. The end may be told at once. */
  abort(error: Error, now = false): void {
    if (this.isOver) return
    this.step = "failed"
    this.error = error
    this.controller?.abort(error)
    if (now) this.tell()
    else this.later()
  }

  /** Whether little enough is left of the body to wait for. */
  get isNearlyOver(): boolean {
    return this.step === "body" && Number(this.headers["content-length"] ?? Infinity) - this.received < bufferLimit
  }

  private flow(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.controller?.resume()
  }

  private later(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    if (untold.push(this) === 1) void resolved.then(tellAll)
  }

  tell(): void {
    this.isScheduled = false
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

/** A microtask by way of a promise costs less than `queueMicrotask`. */
const resolved = Promise.resolve()

/** Whose news are told in the next microtask. */
let untold: Array<Exchange> = []

const tellAll = (): void => {
  const all = untold
  untold = []
  for (const exchange of all) exchange.tell()
}
