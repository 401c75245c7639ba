/**
 * The stream of events from the server: read with `fetch`, since `EventSource` can't send a token, and begun again by
 * itself whenever it ends, fails or falls silent.
 */
import { effect, signal } from "@preact/signals"
import type * as Api from "../../src/MonitoringApi.ts"
import { authorization } from "./api.ts"
import { makeParser } from "./sse.ts"
import { token } from "./token.ts"

export type Link =
  /** `because` is why the connection before was lost. */
  | { readonly is: "connecting"; readonly because?: string | undefined }
  | { readonly is: "live" }
  /** The times are of `performance.now()`. */
  | { readonly is: "lost"; readonly because: string; readonly retryAt: number }
  /** The server lets nobody read without a token; `isWrong` if it did not like ours. */
  | { readonly is: "locked"; readonly isWrong: boolean }

export const link = signal<Link>({ is: "connecting" })

/** When numbers came last, on `performance.now()`; `undefined` before the first. */
export const heardAt = signal<number | undefined>(undefined)

/** Whether each lease is told as well. */
export const withLeases = signal(false)

let onward: (() => void) | undefined
let current = new AbortController()
let lastEventId: string | undefined

/** Tries again now instead of when it is time. */
export const tryAgain = (): void => onward?.()

export const follow = (hear: (message: Api.Message) => void): void => {
  addEventListener("online", tryAgain)
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) tryAgain()
  })
  restartOn(token)
  restartOn(withLeases)
  void stay(hear)
}

/** The server filters by these: the stream begins again when one changes. */
const restartOn = (cause: { readonly value: unknown }): void => {
  let isFirst = true
  effect(() => {
    void cause.value
    if (!isFirst) {
      current.abort()
      tryAgain()
    }
    isFirst = false
  })
}

const stay = async (hear: (message: Api.Message) => void): Promise<never> => {
  let attempt = 0
  for (;;) {
    current = new AbortController()
    const end = await read(current, (message) => {
      attempt = 0
      hear(message)
    })
    if (end === "replaced") continue
    if (end === "locked") {
      link.value = { is: "locked", isWrong: token.value !== undefined }
      await pause(undefined)
    } else {
      const delay = backoff(attempt++)
      link.value = { is: "lost", because: end.because, retryAt: performance.now() + delay }
      await pause(delay)
      link.value = { is: "connecting", because: end.because }
    }
  }
}

/** ms: half a second, doubled up to ten, with some chance in it so that many pages don't come back at once. */
const backoff = (attempt: number): number => Math.min(10_000, 500 * 2 ** attempt) * (0.75 + Math.random() / 4)

const pause = (delay: number | undefined): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = delay === undefined ? undefined : setTimeout(resolve, delay)
  onward = resolve
  return promise.finally(() => {
    clearTimeout(timer)
    onward = undefined
  })
}

/** How many events from before it the page begins with. */
const shownAtFirst = 200

type End = "replaced" | "locked" | { readonly because: string }

const read = async (control: AbortController, hear: (message: Api.Message) => void): Promise<End> => {
  const watch = watchSilence(control)
  try {
    const response = await fetch(`events?last=${shownAtFirst}${withLeases.value ? "&leases=true" : ""}`, {
      headers: { ...authorization(), ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }) },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: control.signal
    })
    if (response.status === 401) return "locked"
    if (!response.ok || response.body === null) return { because: await refusal(response) }
    await consume(response.body, watch.heard, (message) => {
      if (message._tag === "Hello") {
        watch.expect(message)
        // The words of another server are nothing to go on from.
        if (lastEventId?.startsWith(`${message.instance}.`) !== true) lastEventId = undefined
      }
      hear(message)
    })
    return { because: "the server ended the stream" }
  } catch {
    if (control.signal.reason === silent) return { because: "the server fell silent" }
    return control.signal.aborted ? "replaced" : { because: "the server can't be reached" }
  } finally {
    watch.end()
  }
}

const refusal = async (response: Response): Promise<string> => {
  const body: Partial<Api.Failure> | undefined = await response.json().catch(() => undefined)
  return body?.message ?? `the server answered ${response.status}`
}

const consume = async (
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  heard: () => void,
  hear: (message: Api.Message) => void
): Promise<void> => {
  const parse = makeParser()
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    heard()
    for (const frame of parse(value)) {
      lastEventId = frame.id ?? lastEventId
      hear(JSON.parse(frame.data) as Api.Message)
    }
  }
}

const silent = new Error("silent")

/** Ends a stream that brings nothing: samples come all the time, so silence is a connection that died unnoticed. */
const watchSilence = (control: AbortController) => {
  let limit = 15_000
  let timer = setTimeout(() => control.abort(silent), limit)
  const heard = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => control.abort(silent), limit)
  }
  return {
    heard,
    expect: ({ heartbeat, sampleInterval }: Extract<Api.Message, { readonly _tag: "Hello" }>): void => {
      limit = Math.min(3 * heartbeat, Math.max(10_000, 5 * sampleInterval))
      heard()
    },
    end: (): void => clearTimeout(timer)
  }
}
