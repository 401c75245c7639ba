/**
 * The words of a statement, in one pass over its text: what is in comments is left out, and what is in quotes is told from
 * what is not.
 *
 * It takes a time that grows with the text and with nothing else, whatever the text is. What can't be read with certainty is
 * said to be so, since a wrong guess about a quote turns the rest of the text inside out.
 */

import { ByText } from "./byText.ts"

/**
 * - `word`: a key word or a name without quotes, in lower case
 * - `name`: a name in quotes
 * - `literal`: a text in quotes. `isExact` tells whether it stands for itself, without escapes
 * - `mark`: any other character, or a number
 */
export interface Token {
  readonly kind: "word" | "name" | "literal" | "mark"
  readonly text: string
  readonly isExact: boolean
  /** Where it begins and ends in the text, with its quotes. */
  readonly start: number
  readonly end: number
}

/** Longer texts are not read: that would hold up everything else, and they are seldom worth it. */
const longest = 30_000

/**
 * The words, or `undefined` if they can't be told with certainty, or there are too many. Semicolons before the first are left
 * out, as the server does: they end statements that are empty.
 */
export const read = (text: string): ReadonlyArray<Token> | undefined => {
  if (text.length > longest) return undefined
  const tokens: Array<Token> = []
  let at = 0
  while (at < text.length) {
    const step = next(text, at)
    if (step === undefined) return undefined
    if (step.kind !== undefined && (tokens.length > 0 || step.text !== ";")) {
      tokens.push({ kind: step.kind, text: step.text, isExact: step.isExact !== false, start: at, end: step.end })
    }
    at = step.end
  }
  return tokens
}

interface Step {
  readonly end: number
  /** Without a kind it is nothing: white space, or a comment. */
  readonly kind?: Token["kind"]
  readonly text: string
  readonly isExact?: boolean
}

const skip = (end: number): Step => ({ end, text: "" })

const next = (text: string, at: number): Step | undefined => {
  const code = text.charCodeAt(at)
  if (code === 32 || (code >= 9 && code <= 13)) return skip(at + 1)
  if (text.startsWith("--", at)) return skip(endOfLine(text, at))
  if (text.startsWith("/*", at)) return comment(text, at)
  if (code === singleQuote) return literal(text, at, false)
  if (code === doubleQuote) return quoted(text, at)
  if (code === dollar) return dollarQuoted(text, at)
  if (isLetter(code)) return word(text, at)
  return isDigit(code) ? number(text, at) : { kind: "mark", text: text[at]!, end: at + 1 }
}

const singleQuote = 39
const doubleQuote = 34
const dollar = 36
const backslash = 92

const isDigit = (code: number): boolean => code >= 48 && code <= 57
const isLetter = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95 || code > 127
const isOfWord = (code: number): boolean => isLetter(code) || isDigit(code) || code === dollar

const endOfLine = (text: string, at: number): number => {
  let end = at
  while (end < text.length && text[end] !== "\n" && text[end] !== "\r") end++
  return end
}

/** Comments are nested. */
const comment = (text: string, start: number): Step | undefined => {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text.startsWith("/*", at)) {
      depth++
      at++
    } else if (text.startsWith("*/", at)) {
      depth--
      at++
      if (depth === 0) return skip(at + 1)
    }
  }
  return undefined
}

/** `start` is that of the quote. */
const literal = (text: string, start: number, hasEscapes: boolean): Step | undefined => {
  let isExact = true
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === backslash) {
      // Whether it escapes what follows is a setting of the session.
      if (!hasEscapes) return undefined
      isExact = false
      at++
    } else if (code === singleQuote) {
      if (text.charCodeAt(at + 1) !== singleQuote) {
        return { kind: "literal", text: text.slice(start + 1, at).replaceAll("''", "'"), isExact, end: at + 1 }
      }
      at++
    }
  }
  return undefined
}

const quoted = (text: string, start: number): Step | undefined => {
  for (let at = start + 1; at < text.length; at++) {
    if (text.charCodeAt(at) !== doubleQuote) continue
    if (text.charCodeAt(at + 1) !== doubleQuote) {
      return { kind: "name", text: text.slice(start + 1, at).replaceAll("\"\"", "\""), end: at + 1 }
    }
    at++
  }
  return undefined
}

const dollarQuoted = (text: string, start: number): Step | undefined => {
  let at = start + 1
  if (isDigit(text.charCodeAt(at))) return number(text, at)
  while (isOfWord(text.charCodeAt(at)) && text.charCodeAt(at) !== dollar) at++
  if (text.charCodeAt(at) !== dollar) return { kind: "mark", text: "$", end: start + 1 }
  const tag = text.slice(start, at + 1)
  const end = text.indexOf(tag, at + 1)
  return end === -1 ? undefined : { kind: "literal", text: text.slice(at + 1, end), end: end + tag.length }
}

const word = (text: string, start: number): Step | undefined => {
  let end = start
  while (isOfWord(text.charCodeAt(end))) end++
  const found = text.slice(start, end).toLowerCase()
  if (found === "e" && text.charCodeAt(end) === singleQuote) return literal(text, end, true)
  // A name or a literal in which any character may be written by its number.
  if (found === "u" && text[end] === "&" && (text[end + 1] === "\"" || text[end + 1] === "'")) return undefined
  return { kind: "word", text: found, end }
}

const number = (text: string, start: number): Step => {
  let end = start
  while (isOfWord(text.charCodeAt(end)) || text[end] === ".") end++
  return { kind: "mark", text: text.slice(start, end), end }
}

/** The text without what its literals say, for logs: a literal may be a secret. At most `longest` characters. */
export const withoutLiterals = (text: string, longest: number): string => {
  const tokens = read(text)
  // A text that can't be read is shown up to its first quote.
  if (tokens === undefined) return `${/^[^'$"]*/.exec(text)![0].slice(0, longest - 3)}...`
  let shown = ""
  let at = 0
  for (const { end, kind, start } of tokens) {
    if (shown.length >= longest) break
    if (kind !== "literal") continue
    shown += `${text.slice(at, start)}'...'`
    at = end
  }
  return (shown + text.slice(at, at + longest)).slice(0, longest)
}

const shown = new ByText((text) => withoutLiterals(text.slice(0, 1000), 100), 500, 2000)

/** The beginning of a statement for events, logs and accounts, without what its literals say. Each lease of some length asks. */
export const shownOf = (text: string): string => shown.of(text)
