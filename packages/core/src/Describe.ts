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
    Result.try(() => String(cause instanceof Error ? cause.message || cause.name : cause)),
    () => "an error that can't be read"
  )

/** A text without what could forge a line of a log or paint on a terminal. @category conversions @since 0.1.0 */
export const oneLine = (text: string): string => ServerText.clean(text, Infinity)

/**
 * What was said of an address, with the address before it and not a second time at the end, where errors of sockets have
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

/** Who holds which connection, and for how long. @category conversions @since 0.1.0 */
export const describeHolder = (holder: Holder): string =>
  `${oneLine(holder.label ?? "an unlabelled lease")} (connection ${holder.connection}, ${Math.round(holder.held)} ms)`
