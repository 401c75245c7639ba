/**
 * The types of full text search, written as PostgreSQL writes them.
 */
import type { Bytes } from "./bytes.ts"

const quoted = (lexeme: string): string => `'${lexeme.replaceAll(/['\\]/g, "$&$&")}'`

const position = (bits: number): string => `${bits & 0x3fff}${["", "C", "B", "A"][bits >> 14]}`

export const vector = (bytes: Bytes): string => {
  const lexemes = Array.from({ length: bytes.int32() }, () => {
    const lexeme = quoted(bytes.cString())
    const positions = Array.from({ length: bytes.uint16() }, () => position(bytes.uint16()))
    return positions.length === 0 ? lexeme : `${lexeme}:${positions.join(",")}`
  })
  return lexemes.join(" ")
}

const not = 1
const and = 2
const or = 3

/** How tightly an operator binds: NOT, phrase, AND, OR. */
const strength = (operator: number): number => operator === not ? 4 : operator === and ? 2 : operator === or ? 1 : 3

/** The right operand comes before the left one. */
const node = (bytes: Bytes, outer: number): string => {
  if (bytes.int8() === 1) return operand(bytes)
  const operator = bytes.int8()
  const own = strength(operator)
  if (operator === not) return `!${node(bytes, own)}`
  const sign = operator === and ? "&" : operator === or ? "|" : phrase(bytes.int16())
  const right = node(bytes, own)
  const text = `${node(bytes, own)} ${sign} ${right}`
  return own < outer ? `( ${text} )` : text
}

const phrase = (distance: number): string => distance === 1 ? "<->" : `<${distance}>`

const operand = (bytes: Bytes): string => {
  const weights = bytes.uint8()
  const isPrefix = bytes.uint8() !== 0
  const lexeme = quoted(bytes.cString())
  const marks = (isPrefix ? "*" : "") + ["A", "B", "C", "D"].filter((_, i) => (weights & 8 >> i) !== 0).join("")
  return marks === "" ? lexeme : `${lexeme}:${marks}`
}

export const query = (bytes: Bytes): string => bytes.int32() === 0 ? "" : node(bytes, 0)
