/**
 * A response whose body is read from its exchange.
 */
import * as ByteChunks from "@effect-pools/core/ByteChunks"
import * as ServerText from "@effect-pools/core/ServerText"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import type * as Pull from "effect/Pull"
import type * as Schema from "effect/Schema"
import type * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import type { Exchange } from "./exchange.ts"
import { GivenUp, ReaderInterrupted } from "./faults.ts"

type Failure = HttpClientError.HttpClientError
type Pieces = Stream.Stream<Uint8Array, Failure>

// The text of a form keeps what looks like the mark of an encoding.
const formDecoder = new TextDecoder("utf-8", { ignoreBOM: true })

export class Response extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest
  readonly url: string
  readonly status: number
  private readonly exchange: Exchange
  private cachedHeaders: Headers.Headers | undefined = undefined
  private cachedCookies: Cookies.Cookies | undefined = undefined
  /** The whole body as it came, once read. */
  private chunks: ReadonlyArray<Uint8Array> | undefined = undefined
  private isStreamed = false
  /** How many have begun to wait for the whole body and were not interrupted. */
  private readers = 0

  constructor(request: HttpClientRequest, url: string, exchange: Exchange) {
    super()
    this.request = request
    this.url = url
    this.status = exchange.status
    this.exchange = exchange
  }

  get headers(): Headers.Headers {
    if (this.cachedHeaders !== undefined) return this.cachedHeaders
    const headers = Headers.fromInput(this.exchange.headers)
    // Over HTTP/2 the status is among them.
    return this.cachedHeaders = ":status" in headers ? Headers.remove(headers, ":status") : headers
  }

  get cookies(): Cookies.Cookies {
    const header = this.exchange.headers["set-cookie"]
    return this.cachedCookies ??= header === undefined ? Cookies.empty : Cookies.fromSetCookie(header)
  }

  get remoteAddress(): Option.Option<string> {
    return Option.none()
  }

  get text(): Effect.Effect<string, Failure> {
    return this.read(textOf)
  }

  get json(): Effect.Effect<Schema.Json, Failure> {
    return this.read((bytes) => bytes.length === 0 ? null : JSON.parse(textOf(bytes)))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, Failure> {
    return this.read((bytes) =>
      // A question mark at the start belongs to the form, and would be dropped as that of a query.
      UrlParams.fromInput(new URLSearchParams(formDecoder.decode(bytes).replace(/^\?/, "%3F")))
    )
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, Failure> {
    return this.read((bytes) => copy(bytes).buffer)
  }

  get formData(): Effect.Effect<FormData, Failure> {
    return Effect.flatMap(this.read(copy), (bytes) =>
      Effect.tryPromise({
        try: () => new globalThis.Response(bytes, { headers: { ...this.headers } }).formData(),
        catch: (cause) => this.failed(cause)
      }))
  }

  get stream(): Pieces {
    return this.streamed((pieces) => pieces)
  }

  /** Makes something of the pieces of the body as they come. The exchange ends with it. */
  protected streamed(make: (pieces: Pieces) => Pieces): Pieces {
    return Stream.suspend(() => {
      let hasBegun = false
      const pieces = this.pieces(() => {
        hasBegun = true
      })
      return Stream.onExit(make(pieces), (exit) => Effect.sync(() => hasBegun ? this.stopped(exit) : undefined))
    })
  }

  private pieces(onBegin: () => void): Pieces {
    return Stream.suspend(() => {
      if (this.chunks !== undefined) return Stream.fromArray(this.chunks)
      const refusal = this.refusal()
      if (refusal !== undefined) return Stream.fail(refusal)
      // It is kept as a whole for them, and only they are told when there is more.
      if (this.readers > 0) return Stream.unwrap(this.whole(Stream.fromArray))
      this.isStreamed = true
      onBegin()
      return Stream.fromPull(Effect.succeed(this.pull()))
    })
  }

  get upgrade(): Effect.Effect<Socket.Socket, Failure> {
    const description = "a pooled connection can't be upgraded"
    return Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({ request: this.request, response: this, description })
      })
    )
  }

  pipe(): unknown {
    return pipeArguments(this, arguments)
  }

  toJSON(): object {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  /** Reads the whole body, of which `decode` makes what is asked for. The bytes are there for that call alone. */
  protected read<A>(decode: (bytes: Uint8Array) => A): Effect.Effect<A, Failure> {
    return this.whole((chunks) => decode(ByteChunks.joinForNow(chunks)))
  }

  /** Reads the whole body, of whose chunks `decode` makes what is asked for. */
  protected whole<A>(decode: (chunks: ReadonlyArray<Uint8Array>) => A): Effect.Effect<A, Failure> {
    return Effect.withFiber((fiber) => {
      if (this.chunks !== undefined) return this.decoded(decode, this.chunks)
      const refusal = this.refusal()
      if (refusal !== undefined) return Effect.fail(refusal)
      const limit = Number(fiber.getRef(HttpIncomingMessage.MaxBodySize) ?? Infinity)
      return this.exchange.step === "done"
        ? this.collected(decode, limit)
        : Effect.flatMap(this.complete(limit), () => this.collected(decode, limit))
    })
  }

  /**
   * Why the body can't be read, if it can't. A small one comes with its head, and is there after the lease as well: it is
   * refused like a large one, so that a program does not depend on which it is.
   */
  private refusal(): Failure | undefined {
    if (this.isStreamed) return this.failed(new Error("the body has been streamed already"))
    return this.exchange.lease?.isActive === false ? this.failed(new GivenUp(outOfLease)) : undefined
  }

  /** The reader of the stream has all of it, wants no more, can't use it, or is interrupted. */
  private stopped(exit: Exit.Exit<unknown, unknown>): void {
    const { exchange } = this
    const why = "the body was not read to its end"
    if (exit._tag === "Success") exchange.leave(why)
    else if (Cause.hasInterrupts(exit.cause)) exchange.abort(new ReaderInterrupted(interrupted))
    else exchange.abort(new GivenUp(why))
  }

  private collected<A>(decode: (chunks: ReadonlyArray<Uint8Array>) => A, limit: number): Effect.Effect<A, Failure> {
    if (this.exchange.waiting > limit) {
      return Effect.fail(this.failed(tooLarge(limit)))
    }
    // Another reader may have been faster.
    this.chunks ??= this.exchange.take()
    return this.decoded(decode, this.chunks)
  }

  protected decoded<A, B>(decode: (body: B) => A, body: B): Effect.Effect<A, Failure> {
    return Effect.try({ try: () => decode(body), catch: (cause) => this.failed(cause) })
  }

  /** Waits for the end of the body. An interrupted reader gives the body up, if nobody else waits for it. */
  private complete(limit: number): Effect.Effect<void, Failure> {
    return Effect.callback((resume) => {
      const { exchange } = this
      this.readers++
      // Two readers of one body both get it.
      const before = exchange.onMore
      const look = (): void => {
        before?.()
        if (exchange.waiting > limit) exchange.abort(tooLarge(limit))
        const refusal = this.refusal()
        if (refusal !== undefined) {
          exchange.onMore = undefined
          return resume(Effect.fail(refusal))
        }
        if (!exchange.isOver) return
        exchange.onMore = undefined
        resume(exchange.step === "done" ? Effect.void : Effect.fail(this.failed(exchange.error)))
      }
      exchange.onMore = look
      exchange.collect()
      look()
      return Effect.sync(() => {
        if (--this.readers === 0) exchange.abort(new ReaderInterrupted(interrupted))
      })
    })
  }

  private pull(): Pull.Pull<readonly [Uint8Array, ...Array<Uint8Array>], Failure> {
    return Effect.callback((resume) => {
      const { exchange } = this
      const look = (): void => {
        if (exchange.lease?.isActive === false) {
          exchange.onMore = undefined
          return resume(Effect.fail(this.failed(new GivenUp(outOfLease))))
        }
        const [first, ...rest] = exchange.take()
        if (first === undefined && !exchange.isOver) return
        // Before the reader is resumed, who may ask for more at once.
        exchange.onMore = undefined
        if (first !== undefined) resume(Effect.succeed([first, ...rest]))
        else if (exchange.step === "done") resume(Cause.done())
        else resume(Effect.fail(this.failed(exchange.error)))
      }
      exchange.onMore = look
      look()
      return Effect.sync(() => {
        exchange.onMore = undefined
      })
    })
  }

  protected failed(cause: unknown): Failure {
    return new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({
        request: this.request,
        response: this,
        cause,
        description: cause instanceof Error ? ServerText.messageOf(cause, "it failed") : undefined
      })
    })
  }
}

const interrupted = "the reader of the body was interrupted"
const outOfLease = "the lease has ended: read the body inside withConnection, or in the scope of acquire"

const tooLarge = (limit: number): GivenUp => new GivenUp(`the body has more than ${limit} bytes (MaxBodySize)`)

/** As a `TextDecoder` would, which is slower with texts as short as most. */
const textOf = (bytes: Uint8Array): string => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hasMark = buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf
  return buffer.toString("utf8", hasMark ? 3 : 0)
}

/** A chunk is a window on a larger buffer, and `slice` of a Buffer is one too. */
const copy = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
