/**
 * For authors of backend packages: the one place where what a server, a driver or a socket said is made fit for an error, a
 * log or a terminal.
 *
 * A server is trusted with nothing, so no text of its goes anywhere before it was bounded and cleaned here: it may be twenty
 * megabytes long, begin a new line of a log, paint on a terminal, or hide a part of itself.
 *
 * @since 0.1.0
 */

/** Characters of a text that are kept, unless somebody says otherwise. */
const most = 300

/**
 * A text on one line, of at most `limit` characters (default 300), without control characters and without those that
 * are not seen or change the order in which others are.
 *
 * @category conversions
 * @since 0.1.0
 */
export const clean = (text: string, limit: number = most): string => {
  // Cut first, so that the work has the same bound as the result.
  const cut = text.length > limit ? text.slice(0, limit) : text
  return cut.replace(unfit, " ").toWellFormed()
}

/** Controls, separators of lines and paragraphs, and marks of direction, of width nothing and of no character at all. */
// eslint-disable-next-line no-control-regex, no-misleading-character-class
const unfit = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g

/**
 * The message of an error, cleaned. `otherwise` is told of what is no error or has no message, and of an error that can't be
 * read.
 *
 * @category conversions
 * @since 0.1.0
 */
export const messageOf = (error: unknown, otherwise: string, limit: number = most): string => {
  const message = error instanceof Error ? error.message : undefined
  return typeof message === "string" && message !== "" ? clean(message, limit) : otherwise
}

/**
 * A code, such as `ECONNREFUSED` or `42P01`: a word of at most 64 letters, digits, `_`, `.` and `-`. `undefined` for
 * whatever else somebody gives as one.
 *
 * @category conversions
 * @since 0.1.0
 */
export const word = (code: unknown): string | undefined =>
  typeof code === "string" && code.length <= 64 && /^[\w.-]+$/.test(code) ? code : undefined
