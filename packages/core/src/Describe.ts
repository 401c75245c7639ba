/**
 * How causes and holders read in errors and logs: for authors of backend packages and of what watches pools.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as ServerText from "./ServerText.ts"
import type { Holder } from "./internal/model/connection.ts"

/**
 * The message of a cause on one line, at most 300 characters, without control characters.
 *
 * Messages of a backend go into errors and logs only in this form: the message and never the object, since drivers hang
 * configurations with secrets onto their errors, and no character that could forge a line of a log.
 *
 * @category conversions
 * @since 0.1.0
 */
export const describeCause = (cause: unknown): string => ServerText.clean(textOf(cause))

// Whatever a driver throws, it must not take the pool's own work down when it is read.
const textOf = (cause: unknown): string =>
  Result.getOrElse(
    Result.try(() => chainOf(cause).join(", because: ")),
    () => "an error that can't be read"
  )

/** Deeper than that nobody looks, and a chain may be a ring. */
const deepest = 4

/** The messages of the cause and of those below it, each said once. */
const chainOf = (cause: unknown): ReadonlyArray<string> => {
  const said: Array<string> = []
  let next: unknown = cause
  for (let depth = 0; depth < deepest && (depth === 0 || next instanceof Error); depth++) {
    const text = saidBy(next)
    if (!said.some((before) => before.includes(text))) said.push(text)
    next = next instanceof Error ? next.cause : undefined
  }
  return said
}

const saidBy = (cause: unknown): string => {
  if (!(cause instanceof Error)) return typeof cause === "object" && cause !== null ? fieldsOf(cause) : String(cause)
  if (cause.message !== "") return cause.message
  if (cause instanceof AggregateError && cause.errors.length > 0) return cause.errors.map(saidBy).join("; ")
  const fields = fieldsOf(cause)
  return fields === "{}" ? cause.name : `${cause.name} ${fields}`
}

/** The fields that say what kind of failure it is. Any other may hold a secret. */
const telling = new Set(["_tag", "code", "errno", "status", "syscall", "type", "message", "reason"])

const fieldsOf = (value: object): string => {
  const fields = Object.entries(value).filter(([key, field]) =>
    typeof field === "number" || typeof field === "boolean" || (typeof field === "string" && telling.has(key))
  )
  const own = Object.hasOwn(value, "toString") || Array.isArray(value)
  return own
    ? String(value)
    : JSON.stringify(Object.fromEntries(fields.filter(([key]) => key !== "_tag" || !(value instanceof Error))))
}

/** A text without what could forge a line of a log or paint on a terminal. @category conversions @since 0.1.0 */
export const oneLine = (text: string): string => ServerText.clean(text, Infinity)

/**
 * The text about an address, with the address before it and not a second time at the end, where errors of sockets have
 * it. One that a name was looked up to is another, and stays. Without an address it is what was said.
 *
 * @category conversions
 * @since 0.1.0
 */
export const at = (address: string, said: string): string => {
  if (address === "") return said
  const plain = address.replace(/^\w+:\/\//, "").replaceAll(/[[\]]/g, "")
  const again = [plain, plain.replace(/:\d+$/, "")].find((again) => said.endsWith(` ${again}`))
  return `${address}: ${again === undefined ? said : said.slice(0, -again.length - 1)}`
}

/** Tells who holds a connection, and for how long. @category conversions @since 0.1.0 */
export const describeHolder = (holder: Holder): string =>
  `${oneLine(holder.label ?? "an unlabelled lease")} (connection ${holder.connection}, ${Math.round(holder.held)} ms)`
