/**
 * The body of a request in the form undici takes.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as HttpBody from "effect/http/HttpBody"
import * as Stream from "effect/Stream"
import { FormData as UndiciFormData } from "undici"
import { GivenUp, type Outgoing } from "./exchange.ts"

export interface RequestBody {
  readonly content: Outgoing["body"]
  /** Whether it can be sent twice. */
  readonly isReplayable: boolean
  /** Stops what makes the body, when the request is over before all of it was wanted. */
  readonly stop: (() => void) | undefined
}

const none: RequestBody = { content: null, isReplayable: true, stop: undefined }

export const make = (body: HttpBody.HttpBody, context: Context.Context<never>): RequestBody => {
  switch (body._tag) {
    case "Empty":
      return none
    case "Uint8Array":
      return { content: body.body, isReplayable: true, stop: undefined }
    case "Raw": {
      const content = body.body as Outgoing["body"]
      return { content, isReplayable: typeof content === "string" || content instanceof Uint8Array, stop: undefined }
    }
    case "FormData":
      return { content: formOf(body.formData), isReplayable: true, stop: undefined }
    case "Stream":
      return streamed(body.stream, context)
  }
}

// undici accepts forms of its own class only.
const formOf = (form: FormData): UndiciFormData => {
  const content = new UndiciFormData()
  for (const [name, value] of form) content.append(name, value as string)
  return content
}

const streamed = (stream: Stream.Stream<Uint8Array, unknown>, context: Context.Context<never>): RequestBody => {
  const failing = Stream.catchCause(stream, (cause) => Stream.fail(failed(Cause.squash(cause))))
  const iterator = Stream.toAsyncIterableWith(failing, context)[Symbol.asyncIterator]()
  const content = { [Symbol.asyncIterator]: () => iterator } as unknown as Outgoing["body"]
  return { content, isReplayable: false, stop: () => void iterator.return?.().catch(() => {}) }
}

/** That the caller's own body fails says nothing about the server. */
const failed = (cause: unknown): GivenUp =>
  new GivenUp(`the body of the request failed: ${cause instanceof Error ? cause.message : "not with an Error"}`, {
    cause
  })
