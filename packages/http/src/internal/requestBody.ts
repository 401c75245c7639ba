/**
 * The body of a request, in the two forms that a connection sends: bytes, or pieces that are asked for one by one.
 *
 * Whatever is wrong with a body is the caller's, and says nothing about the server: so each piece is looked at here,
 * before a socket refuses it.
 */
import { describeCause } from "@effect-pools/core/Describe"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as HttpBody from "effect/http/HttpBody"
import * as Stream from "effect/Stream"
import { FormData as UndiciFormData } from "undici"
import { BodyFailed, GivenUp } from "./faults.ts"

/** The body to send. A form makes its own type, with its own boundary. */
export type Content = Uint8Array | AsyncIterable<Uint8Array> | UndiciFormData | null

export interface RequestBody {
  readonly content: Content
  /** How many bytes it has, if that is known. */
  readonly length: number | undefined
  /** Whether it can be sent twice. */
  readonly isReplayable: boolean
  /** Stops what makes the body, when the request is over before all of it was wanted. */
  readonly stop: (() => void) | undefined
  /** Whether the next piece has been asked for, so that it is the caller who is waited for. */
  readonly isAwaited: () => boolean
}

const never = (): boolean => false

const none: RequestBody = { content: null, length: undefined, isReplayable: true, stop: undefined, isAwaited: never }

export const make = (body: HttpBody.HttpBody, context: Context.Context<never>): RequestBody => {
  switch (body._tag) {
    case "Empty":
      return none
    case "Uint8Array":
      return ofBytes(body.body)
    case "Raw":
      return ofRaw(body.body)
    case "FormData":
      return ofForm(body.formData)
    case "Stream":
      return ofPieces(Stream.toAsyncIterableWith(causeless(body.stream), context)[Symbol.asyncIterator]())
  }
}

/**
 * The largest piece that is given to a socket at once. A socket tells of nothing before all of a piece is gone, so that
 * larger ones would hide from the time limits that an upload moves.
 */
const pieceSize = 64 * 1024

const ofBytes = (bytes: Uint8Array): RequestBody =>
  bytes.byteLength <= pieceSize
    ? { ...none, content: bytes, length: bytes.byteLength }
    : { ...none, content: each(() => [bytes].values()), length: bytes.byteLength }

/** Pieces that can be made again. */
const each = (source: () => AnyIterator): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => new Pieces(source())
})

/** A raw body is whatever the caller's platform has for a body. */
const ofRaw = (body: unknown): RequestBody => {
  if (body === null || body === undefined) return none
  if (typeof body === "string") return ofBytes(Buffer.from(body))
  const bytes = bytesOf(body)
  if (bytes !== undefined) return ofBytes(bytes)
  if (body instanceof FormData || body instanceof UndiciFormData) return ofForm(body as FormData)
  if (body instanceof Blob) {
    return { ...none, content: each(() => iteratorOf(body.stream())!), length: body.size }
  }
  return ofPieces(iteratorOf(body) ?? failing(`a body can't be made of ${kindOf(body)}`))
}

const bytesOf = (value: unknown): Uint8Array<ArrayBufferLike> | undefined =>
  value instanceof Uint8Array
    ? value
    : ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : value instanceof ArrayBuffer
    ? new Uint8Array(value)
    : undefined

const ofForm = (form: FormData): RequestBody => {
  // undici accepts forms of its own class only.
  const content = new UndiciFormData()
  for (const [name, value] of form) content.append(name, value as string)
  return { ...none, content }
}

type AnyIterator = AsyncIterator<unknown> | Iterator<unknown>

const ofPieces = (source: AnyIterator): RequestBody => {
  const pieces = new Pieces(source)
  return {
    content: { [Symbol.asyncIterator]: () => pieces },
    length: undefined,
    isReplayable: false,
    stop: () => pieces.stop(),
    isAwaited: () => pieces.isAwaited
  }
}

const empty = new Uint8Array()

/** The bytes of an iterator's elements, no more at once than a socket should be given. */
class Pieces implements AsyncIterator<Uint8Array> {
  /** Whether the iterator is waited for. */
  isAwaited = false
  private readonly source: AnyIterator
  /** The rest of the last element. */
  private rest: Uint8Array = empty

  constructor(source: AnyIterator) {
    this.source = source
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.rest.byteLength > 0) return Promise.resolve(this.cut())
    this.isAwaited = true
    return settled(() => this.source.next()).then(({ done, value }) => {
      this.isAwaited = false
      if (done === true) return { done, value: undefined }
      this.rest = pieceOf(value)
      return this.rest.byteLength === 0 ? this.next() : this.cut()
    }, (cause: unknown) => {
      this.isAwaited = false
      throw failed(cause)
    })
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.stop()
    return Promise.resolve({ done: true, value: undefined })
  }

  stop(): void {
    void settled(() => this.source.return?.()).catch(() => {})
  }

  private cut(): IteratorResult<Uint8Array, undefined> {
    const value = this.rest.subarray(0, pieceSize)
    this.rest = this.rest.subarray(pieceSize)
    return { done: false, value }
  }
}

/** The result of a step that may throw, wait or do neither. */
const settled = <A>(step: () => A): Promise<Awaited<A>> => new Promise((resolve) => resolve(step() as Awaited<A>))

const pieceOf = (value: unknown): Uint8Array => {
  const piece = typeof value === "string" ? Buffer.from(value) : bytesOf(value)
  if (piece === undefined) throw failed(new TypeError(`a piece of it is ${kindOf(value)}`))
  return piece
}

const iteratorOf = (value: unknown): AnyIterator | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  if (Symbol.asyncIterator in value) return (value as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  return Symbol.iterator in value ? (value as Iterable<unknown>)[Symbol.iterator]() : undefined
}

const failing = (message: string): AnyIterator => ({ next: () => Promise.reject(new TypeError(message)) })

const kindOf = (value: unknown): string =>
  typeof value === "object" ? value?.constructor?.name ?? "an object" : typeof value

const causeless = (stream: Stream.Stream<Uint8Array, unknown>): Stream.Stream<Uint8Array, unknown> =>
  Stream.catchCause(stream, (cause) => Stream.fail(Cause.squash(cause)))

/** That the caller's own body fails says nothing about the server. */
const failed = (cause: unknown): GivenUp =>
  cause instanceof GivenUp
    ? cause
    : new BodyFailed(`the body of the request failed: ${describeCause(cause)}`, { cause })
