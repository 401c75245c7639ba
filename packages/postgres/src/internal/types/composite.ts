/**
 * Values made of values: arrays, records and ranges. The first two tell the types of their parts, so they are known even
 * if they are of a type that somebody made.
 */
import { Bytes } from "./bytes.ts"

/** A value of a type, in some form. */
type Read = (oid: number, bytes: Uint8Array) => unknown

type Text = (oid: number, bytes: Uint8Array) => string

/** The elements, nested as the array's dimensions are; throws for what is no array. */
export const array = (bytes: Uint8Array, read: Read): ReadonlyArray<unknown> => {
  const { elementOid, lengths, source } = head(bytes)
  const level = (depth: number): ReadonlyArray<unknown> =>
    Array.from({ length: lengths[depth]! }, () => {
      if (depth < lengths.length - 1) return level(depth + 1)
      const element = source.sized()
      return element === undefined ? null : read(elementOid, element)
    })
  const elements = lengths.length === 0 ? [] : level(0)
  source.end()
  return elements
}

const maxDimensions = 6

const head = (bytes: Uint8Array) => {
  const source = new Bytes(bytes)
  const dimensions = source.int32()
  const flags = source.int32()
  const elementOid = source.uint32()
  if (dimensions < 0 || dimensions > maxDimensions || flags < 0 || flags > 1 || elementOid === 0) throw notOne("array")
  const lengths: Array<number> = []
  let count = dimensions === 0 ? 0 : 1
  for (let i = 0; i < dimensions; i++) {
    const length = source.int32()
    source.int32()
    count *= length
    lengths.push(length)
  }
  // Each element has a length of four bytes before it, so that no more memory is asked for than the value can fill.
  if (lengths.some((length) => length < 1) || count * 4 > source.left) throw notOne("array")
  return { source, elementOid, lengths }
}

const notOne = (what: string): Error => new RangeError(`the value is no ${what}`)

/** As the server writes it: `{1,NULL,"a b"}`. */
export const arrayText = (bytes: Uint8Array, text: Text): string => {
  const write = (value: unknown): string =>
    Array.isArray(value) ? `{${value.map(write).join(",")}}` : value === null ? "NULL" : elementText(value as string)
  return write(array(bytes, text))
}

const elementText = (text: string): string =>
  text === "" || /[\s{}",\\]/.test(text) || text.toUpperCase() === "NULL"
    ? `"${text.replaceAll(/["\\]/g, "\\$&")}"`
    : text

/** As the server writes it: `(1,,"a b")`; throws for what is no record. */
export const record = (bytes: Uint8Array, text: Text): string => {
  const source = new Bytes(bytes)
  const count = source.int32()
  // Eight bytes of each field tell its type and its length.
  if (count < 0 || count * 8 > source.left) throw notOne("record")
  const fields = Array.from({ length: count }, () => {
    const oid = source.uint32()
    const field = source.sized()
    if (oid === 0) throw notOne("record")
    return field === undefined ? "" : fieldText(text(oid, field))
  })
  source.end()
  return `(${fields.join(",")})`
}

const fieldText = (text: string): string =>
  text === "" || /[\s(),"\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, "$&$&")}"` : text

const isEmpty = 1
const hasLowerIncluded = 2
const hasUpperIncluded = 4
const hasNoLower = 8
const hasNoUpper = 16

/** As the server writes it: `[1,5)`. */
export const range = (boundOid: number, bytes: Bytes, text: Text): string => {
  const flags = bytes.uint8()
  if ((flags & isEmpty) !== 0) return "empty"
  const bound = (none: number): string => (flags & none) === 0 ? boundText(text(boundOid, bytes.sized()!)) : ""
  const lower = bound(hasNoLower)
  const upper = bound(hasNoUpper)
  return `${(flags & hasLowerIncluded) === 0 ? "(" : "["}${lower},${upper}${
    (flags & hasUpperIncluded) === 0 ? ")" : "]"
  }`
}

const boundText = (text: string): string =>
  text === "" || /[\s()[\],"\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, "$&$&")}"` : text

export const multirange = (boundOid: number, bytes: Bytes, text: Text): string =>
  `{${Array.from({ length: bytes.int32() }, () => range(boundOid, new Bytes(bytes.sized()!), text)).join(",")}}`
