/** Keeps the store in step with the server: reads all when a stream begins, and then what the stream does not bring. */
import { batch, effect } from "@preact/signals"
import type * as Api from "../../src/MonitoringApi.ts"
import { readAlerts, readHistory, readPools } from "./api.ts"
import { perFrame } from "./frames.ts"
import { isLong } from "./range.ts"
import { follow, heardAt, link } from "./link.ts"
import { log, record } from "./log.ts"
import {
  actions,
  currentAlerts,
  instance,
  keepAlert,
  keepAlerts,
  keepHistory,
  keepPools,
  keepSampled,
  reset,
  sampleInterval,
  told
} from "./store.ts"

type Hello = Extract<Api.Message, { readonly _tag: "Hello" }>

export const start = (): void => {
  const apply = perFrame<Api.Message>((messages) => messages.forEach(hear))
  follow(apply)
  document.addEventListener("visibilitychange", refresh)
}

const hear = (message: Api.Message): void => {
  heardAt.value = performance.now()
  switch (message._tag) {
    case "Hello":
      return greeted(message)
    case "Gap":
      // A new server can't know what the one before told.
      if (log.at(-1)?.event._tag !== "ServerStarted") record({ _tag: "EventsMissed", at: message.at })
      return
    case "Happened":
      record(message.event)
      // It is seldom, and it shows: the numbers need not wait for the next sample.
      if (!isLease(message.event)) refresh()
      return
    case "Acted":
      record(message)
      return refresh()
    case "AlertRaised":
    case "AlertCleared":
      meanwhile.push(message.alert)
      return keepAlert(message.alert)
    case "Sampled":
      keepSampled(message)
      return refresh()
  }
}

const isLease = ({ _tag }: Api.PoolEvent): boolean => _tag === "Acquired" || _tag === "Released"

const greeted = (hello: Hello): void => {
  const before = instance.peek()
  if (before !== undefined && before !== hello.instance) {
    reset()
    record({ _tag: "ServerStarted", at: hello.at })
  }
  instance.value = hello.instance
  actions.value = hello.actions
  sampleInterval.value = hello.sampleInterval
  told(hello.at)
  link.value = { is: "live" }
  void readAll(hello.instance)
}

/** Alerts that the stream brought while all was read: what was read may be from before. */
let meanwhile: Array<Api.Alert> = []

/** A failure needs no word: the stream tells when the server is gone. */
const readAll = async (of: string): Promise<void> => {
  meanwhile = []
  const answers = await Promise.all([readPools(), readHistory(isLong()), readAlerts()]).catch(() => undefined)
  if (instance.peek() !== of || link.peek().is !== "live") return
  if (answers === undefined) {
    setTimeout(() => void readAll(of), 1000)
    return
  }
  const [pools, history, alerts] = answers
  batch(() => {
    keepPools(pools)
    keepHistory(history)
    keepAlerts(alerts)
    meanwhile.forEach(keepAlert)
  })
}

/** Reads the samples of as far back as the charts are to go. */
export const readLonger = (): void => {
  if (!isLong()) return
  const of = instance.peek()
  void readHistory(true).then((history) => {
    if (instance.peek() === of) keepHistory(history)
  }, () => undefined)
}

/** ms between two readings of `/pools` */
const shortest = 1000
let rest = shortest
let readAt = -Infinity
let timer: ReturnType<typeof setTimeout> | undefined

/** Reads `/pools` soon, but at most once a second, less often where it takes long, and not while nobody looks. */
export const refresh = (): void => {
  if (document.hidden || timer !== undefined || link.peek().is !== "live") return
  timer = setTimeout(async () => {
    readAt = performance.now()
    const answer = await readPools().catch(() => undefined)
    // An alert that stands says its number as it is now.
    if (currentAlerts.peek().length > 0) await readAlerts().then(keepAlerts, () => undefined)
    rest = Math.max(shortest, 4 * (performance.now() - readAt))
    timer = undefined
    if (answer !== undefined && answer.instance === instance.peek()) keepPools(answer)
  }, Math.max(50, readAt + rest - performance.now()))
}

effect(() => {
  if (link.value.is !== "live") readAt = -Infinity
})
