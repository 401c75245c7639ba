/**
 * How causes and holders read in errors and logs.
 */
import type { Holder } from "../PoolError.ts"

/**
 * The message of a cause on one line, at most 300 characters, without control characters.
 *
 * Messages of a backend go into errors and logs only in this form: the message and never the object, since drivers hang
 * configurations with secrets onto their errors, and no character that could forge a line of a log.
 */
export const describeCause = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message || cause.name : String(cause)
  return Array.from(text.slice(0, 300), (character) => isControl(character) ? " " : character).join("")
}

const isControl = (character: string): boolean =>
  character < " " || (character >= "\u007f" && character <= "\u009f") || character === "\u2028" ||
  character === "\u2029"

/** Who holds which connection, and for how long. */
export const describeHolder = (holder: Holder): string =>
  `${holder.label ?? "an unlabelled lease"} (connection ${holder.connection}, ${Math.round(holder.held)} ms)`
