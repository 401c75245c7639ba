/**
 * A response whose body was compressed on its way, and is not any more.
 */
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Stream from "effect/Stream"
import { Duplex } from "node:stream"
import * as Zlib from "node:zlib"
import type { Exchange } from "./exchange.ts"
import { GivenUp } from "./faults.ts"
import { Response } from "./response.ts"

type Failure = HttpClientError.HttpClientError

/** The encodings that are asked for, and undone. */
export const accepted = "gzip, br"

interface Coding {
  readonly whole: (
    bytes: Uint8Array,
    options: Zlib.ZlibOptions,
    done: (error: Error | null, result: Buffer) => void
  ) => void
  readonly streamed: () => Duplex
}

const gzip: Coding = { whole: Zlib.gunzip, streamed: () => Zlib.createGunzip() }

const codings: ReadonlyMap<string, Coding> = new Map([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["br", { whole: Zlib.brotliDecompress, streamed: () => Zlib.createBrotliDecompress() }]
])

/** The response with its body as the server had it, if it was compressed in a way that is known. */
export const make = (request: HttpClientRequest, url: string, exchange: Exchange): Response => {
  const coding = codings.get(String(exchange.headers["content-encoding"] ?? "").trim().toLowerCase())
  return coding === undefined ? new Response(request, url, exchange) : new Inflated(request, url, exchange, coding)
}

class Inflated extends Response {
  private readonly coding: Coding
  /** How many bytes the body may have once it is no longer compressed. */
  private readonly maxSize: number
  private inflated: Uint8Array | undefined = undefined
  private ownHeaders: Headers.Headers | undefined = undefined

  constructor(request: HttpClientRequest, url: string, exchange: Exchange, coding: Coding) {
    super(request, url, exchange)
    this.coding = coding
    this.maxSize = exchange.maxSize
  }

  /** Without what concerns the body as it was on its way. */
  override get headers(): Headers.Headers {
    return this.ownHeaders ??= Headers.removeMany(super.headers, ["content-encoding", "content-length"])
  }

  override get stream(): Stream.Stream<Uint8Array, Failure> {
    return Stream.suspend(() =>
      this.inflated === undefined
        ? this.streamed((compressed) => this.inflating(compressed))
        : Stream.succeed(this.inflated)
    )
  }

  protected override read<A>(decode: (bytes: Uint8Array) => A): Effect.Effect<A, Failure> {
    return Effect.withFiber((fiber) => {
      const limit = Math.min(this.maxSize, Number(fiber.getRef(HttpIncomingMessage.MaxBodySize) ?? Infinity))
      const whole = this.inflated === undefined
        ? Effect.flatMap(this.whole((chunks) => Buffer.concat(chunks)), (bytes) => this.inflate(bytes, limit))
        : Effect.succeed(this.inflated)
      return Effect.flatMap(whole, (bytes) => this.decoded(decode, bytes))
    })
  }

  private inflate(bytes: Uint8Array, limit: number): Effect.Effect<Uint8Array, Failure> {
    // The answer to HEAD, and a 304, say how a body would be compressed.
    if (bytes.length === 0) return Effect.succeed(bytes)
    return Effect.callback((resume) => {
      // Without a limit Node has its own, the longest that a buffer can be.
      const options = limit === Infinity ? {} : { maxOutputLength: Math.max(1, limit) }
      this.coding.whole(bytes, options, (error, inflated) => {
        if (error !== null) return resume(Effect.fail(this.failed(unreadable(error, limit))))
        this.inflated = inflated
        resume(Effect.succeed(inflated))
      })
    })
  }

  private inflating(compressed: Stream.Stream<Uint8Array, Failure>): Stream.Stream<Uint8Array, Failure> {
    let size = 0
    const inflated = Stream.fromReadableStream<Uint8Array, Failure>({
      evaluate: () => Stream.toReadableStream(compressed).pipeThrough(webOf(this.coding.streamed())),
      onError: (error) => error instanceof HttpClientError.HttpClientError ? error : this.failed(error)
    })
    return Stream.mapEffect(inflated, (piece) => {
      size += piece.length
      return size > this.maxSize ? Effect.fail(this.failed(tooLarge(this.maxSize))) : Effect.succeed(piece)
    })
  }
}

interface WebPair {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

// The types of Node and of the platform have the same streams under two names.
const webOf = (duplex: Duplex): WebPair => Duplex.toWeb(duplex) as unknown as WebPair

const unreadable = (error: Error & { readonly code?: string }, limit: number): Error =>
  error.code === "ERR_BUFFER_TOO_LARGE" ? tooLarge(limit) : error

const tooLarge = (limit: number): GivenUp =>
  new GivenUp(`the body has more than ${limit} bytes once it is no longer compressed (maxResponseSize, MaxBodySize)`)
