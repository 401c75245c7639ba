/**
 * Texts that come from elsewhere, made fit for a log, a terminal and a page.
 */
import * as Result from "effect/Result"

/** A text without what could forge a line of a log or paint on a terminal, at most 300 characters. */
export const oneLine = (text: string): string =>
  Array.from(text.slice(0, 300), (character) => isControl(character) ? " " : character).join("")

const isControl = (character: string): boolean =>
  character < " " || (character >= "\u007f" && character <= "\u009f") || character === "\u2028" ||
  character === "\u2029"

/** The message of a cause: never the object, since drivers hang configurations with secrets onto their errors. */
export const describeCause = (cause: unknown): string =>
  oneLine(
    Result.getOrElse(
      Result.try(() => String(cause instanceof Error ? cause.message || cause.name : cause)),
      () => "an error that can't be read"
    )
  )
