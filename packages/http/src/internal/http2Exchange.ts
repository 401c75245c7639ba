/**
 * One exchange over a stream of HTTP/2.
 */
import * as Result from "effect/Result"
import * as Http2 from "node:http2"
import { Duplex } from "node:stream"
import type { Exchange, Flow } from "./exchange.ts"
import { BadRequest, ConnectionLost, SocketGone, StreamReset } from "./faults.ts"
import type { Outgoing } from "./outgoing.ts"

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } =
  Http2.constants

/** The session of a stream, as far as it is concerned with it. */
interface Session {
  readonly open: (headers: Http2.OutgoingHttpHeaders, hasBody: boolean) => Http2.ClientHttp2Stream
  /** Whether the server said goodbye before it looked at the stream of this number. */
  readonly hasRefused: (id: number) => boolean
  /** Whether the session has ended, and with which error code. */
  readonly lost: () => string | undefined
  /** Told that we reset the stream, whether it had an answer, and how much of the request was not flushed yet. */
  readonly reset: (isAnswered: boolean, unflushed: number) => void
  readonly over: (exchange: Http2Exchange) => void
}

export class Http2Exchange implements Flow {
  private readonly exchange: Exchange
  private readonly outgoing: Outgoing
  private readonly headers: Http2.OutgoingHttpHeaders
  private readonly session: Session
  private stream: Http2.ClientHttp2Stream | undefined = undefined
  /** Whether the server has sent all it will, which END_STREAM alone says. */
  private isWhole = false
  private hasBegun = false
  /** Whether the request was never written. */
  private isUnsent = false
  private isPaused = false
  private isOver = false

  constructor(exchange: Exchange, outgoing: Outgoing, headers: Http2.OutgoingHttpHeaders, session: Session) {
    this.exchange = exchange
    this.outgoing = outgoing
    this.headers = headers
    this.session = session
  }

  begin(): void {
    if (this.exchange.isOver) return this.over()
    const { body } = this.outgoing
    this.exchange.onRequestStart(this)
    const opened = Result.try({
      try: () => this.session.open(this.headers, body !== null),
      catch: (cause) => new BadRequest(cause instanceof Error ? cause.message : "the request can't be sent", { cause })
    })
    if (Result.isFailure(opened)) return this.fail(opened.failure)
    this.stream = opened.success
    this.own(this.stream)
    if (body === null) return this.exchange.onRequestSent()
    if (this.outgoing.headers["expect"] === undefined) return this.begun()
    this.stream.once("continue", () => this.begun())
    this.exchange.guard?.after(patience, () => this.begun())
  }

  /** Begins to send the body, once, unless the answer has come instead. */
  private begun(): void {
    if (this.hasBegun || this.isOver || this.exchange.step !== "sent") return
    this.hasBegun = true
    const { body } = this.outgoing
    if (body instanceof Uint8Array) return this.end(body)
    this.send((body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]())
  }

  readonly abort = (error: Error): void => {
    if (this.isOver) return
    this.reset()
    this.fail(error)
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.stream?._read(0)
  }

  /** The stream belongs to this exchange from here on, and begins to be read. */
  private own(stream: Http2.ClientHttp2Stream): void {
    const owned = stream as OwnedStream
    owned[owner] = this
    owned.push = push
    owned.emit = emit
    stream.read(0)
  }

  /** The server has sent all it will. */
  ended(): void {
    this.isWhole = true
  }

  /** A frame of the request could not be sent. */
  unsent(type: number): void {
    this.isUnsent ||= type === headersFrame
  }

  /** The status is left among the headers: to copy them without it costs more than all else here. */
  respond(headers: Http2.IncomingHttpHeaders, flags: number): void {
    if (this.isOver) return
    this.note(flags)
    this.exchange.onResponseHead(Number(headers[":status"]), headers)
  }

  note(flags: number): void {
    if ((flags & NGHTTP2_FLAG_END_STREAM) !== 0) this.isWhole = true
  }

  /** Takes a piece of the body, and tells whether the next may come. */
  take(chunk: Uint8Array): boolean {
    if (!this.isOver) this.exchange.onResponseData(this, alone(chunk))
    return !this.isPaused
  }

  /** All that has come is read. */
  finished(): void {
    if (this.isWhole) this.complete()
  }

  /** An answer that comes before all of the request has gone out leaves nothing to send the rest for. */
  private complete(): void {
    if (this.isOver) return
    if (this.stream?.writableFinished === false) this.reset()
    this.over()
    this.exchange.onResponseEnd()
  }

  private reset(): void {
    const { stream } = this
    if (stream === undefined) return
    const unflushed = stream.writableLength
    // With a code RST_STREAM goes out at once, whatever of the body has not been flushed.
    stream.close(NGHTTP2_CANCEL)
    this.session.reset(this.exchange.isAnswered, unflushed)
  }

  /** Node 22 does not tell of each END_STREAM that comes while the session writes: then the length tells. */
  closed(stream: Http2.ClientHttp2Stream): void {
    if (this.isOver) return
    const { id, rstCode = 0 } = stream
    const isWhole = this.isWhole || (rstCode === NGHTTP2_NO_ERROR && this.exchange.hasDeclaredLength)
    if (isWhole && this.exchange.step === "body") return this.complete()
    const end = this.session.lost()
    const isUnseen = this.isUnsent || id === undefined || this.session.hasRefused(id) ||
      rstCode === NGHTTP2_REFUSED_STREAM
    if (isUnseen && !this.exchange.isAnswered) this.fail(new SocketGone())
    else this.fail(end === undefined ? new StreamReset(rstCode, nameOf(rstCode)) : new ConnectionLost(end))
  }

  private fail(error: Error): void {
    this.over()
    this.exchange.onResponseError(undefined, error)
  }

  private over(): void {
    this.isOver = true
    this.session.over(this)
  }

  private send(pieces: AsyncIterator<Uint8Array>): void {
    pieces.next().then(({ done, value }) => {
      if (this.isOver) return
      if (done === true) return this.end(undefined)
      this.stream?.write(value, (error) => {
        if (error !== null && error !== undefined) return
        this.exchange.onBodySent()
        this.send(pieces)
      })
    }, this.abort)
  }

  private end(last: Uint8Array | undefined): void {
    this.stream?.end(last, () => this.exchange.onRequestSent())
  }
}

const owner = Symbol("@effect-pools/http/exchange")

/** A stream that knows its exchange. */
interface OwnedStream extends Http2.ClientHttp2Stream {
  [owner]: Http2Exchange
}

/**
 * Node gives a stream the bytes of its body here. They go to the exchange at once: the buffer of the stream, and the events
 * that empty it, would cost as much again. The end goes its way, since Node destroys a stream only after that.
 *
 * The end of what is read comes of RST_STREAM and of the end of the session too; but then the stream is closed.
 */
function push(this: OwnedStream, chunk: Uint8Array | null, encoding?: BufferEncoding): boolean {
  if (chunk !== null) return this[owner].take(chunk)
  if (!this.closed) this[owner].ended()
  const more = Duplex.prototype.push.call(this, null, encoding)
  // Nothing is left to read, so that it ends with the next tick.
  this.read(0)
  return more
}

/**
 * Tells the exchange of the stream's events. A listener for each would be six more objects a request, and Node tells a stream
 * of each that it gets. The events that Node listens to itself go on to its listeners.
 */
function emit(this: OwnedStream, event: string | symbol, first?: unknown, second?: unknown): boolean {
  const exchange = this[owner]
  switch (event) {
    case "response":
      exchange.respond(first as Http2.IncomingHttpHeaders, second as number)
      return true
    case "trailers":
      exchange.note(second as number)
      return true
    case "frameError":
      exchange.unsent(first as number)
      return true
    case "error":
      // The exchange hears of it by the close. Without a listener Node would end the process.
      return true
    case "end":
      exchange.finished()
      break
    case "close":
      exchange.closed(this)
  }
  // As they came, however many there are: the types know of no such call.
  return Reflect.apply(Duplex.prototype.emit, this, arguments as unknown as ReadonlyArray<unknown>)
}

/**
 * How long a body waits for `100 Continue`, in milliseconds: servers that know nothing of it never say it (RFC 9110,
 * 10.1.1).
 */
const patience = 1000

/** A small piece is a window on what came for all streams: whoever keeps it would keep all of that too. */
const alone = (chunk: Uint8Array): Uint8Array => {
  if (2 * chunk.byteLength >= chunk.buffer.byteLength) return chunk
  const copy = Buffer.allocUnsafeSlow(chunk.byteLength)
  copy.set(chunk)
  return copy
}

/** The number of the frame that a request begins with (RFC 9113, 6.2). */
const headersFrame = 1

/** The names of the error codes, in their order (RFC 9113, 7). */
const names = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED"
]

const nameOf = (code: number): string =>
  // Node resets a stream with this code itself when the head of the response is too large.
  code === NGHTTP2_ENHANCE_YOUR_CALM
    ? "ENHANCE_YOUR_CALM, or its head was larger than maxHeaderSize"
    : names[code] ?? `code ${code}`
