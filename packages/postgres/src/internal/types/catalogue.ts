/**
 * Reads the values of types that the driver has no codec for, as `pg` reads them: as an object or an array where it makes
 * one, else as the server's text.
 *
 * The types built into the server are known by their number. Of a type that somebody made nothing is known but its bytes:
 * text (enums, domains, extensions such as citext), arrays and records can be told from those. Anything else is refused,
 * and the statement can ask for it as text with a cast.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import { Bytes } from "./bytes.ts"
import * as Composite from "./composite.ts"
import * as Geometry from "./geometry.ts"
import * as Plain from "./plain.ts"
import * as Search from "./search.ts"

type Read = (bytes: Bytes) => unknown
type Write = (bytes: Bytes) => string

const { OID } = PgTypes

/** Thrown for a value that nobody here can read. */
class UnreadableType extends Error {}

const text: Write = (bytes) => bytes.text()
const unsigned: Write = (bytes) => String(bytes.uint32())
const ofRange = (bound: number): Write => (bytes) => Composite.range(bound, bytes, textOf)
const ofMultirange = (bound: number): Write => (bytes) => Composite.multirange(bound, bytes, textOf)
const ofVector: Write = (bytes) => Composite.array(bytes.rest(), textOf).join(" ")

/** Types that are written as text alone, by their numbers. */
const texts = new Map<number, Write>([
  [18, text], // "char"
  [22, ofVector], // int2vector
  [27, Plain.tid],
  [28, unsigned], // xid
  [29, unsigned], // cid
  [30, ofVector], // oidvector
  [142, text], // xml
  [601, Geometry.segment],
  [602, Geometry.path],
  [603, Geometry.box],
  [604, Geometry.polygon],
  [628, Geometry.line],
  [774, Plain.mac], // macaddr8
  [790, Plain.money],
  [829, Plain.mac],
  [1560, Plain.bits],
  [1562, Plain.bits], // varbit
  [1790, text], // refcursor
  [2249, (bytes) => Composite.record(bytes.rest(), textOf)],
  [2970, Plain.snapshot], // txid_snapshot
  [3220, Plain.lsn],
  [3614, Search.vector],
  [3615, Search.query],
  [3904, ofRange(OID.int4)],
  [3906, ofRange(OID.numeric)],
  [3908, ofRange(OID.timestamp)],
  [3910, ofRange(OID.timestamptz)],
  [3912, ofRange(OID.date)],
  [3926, ofRange(OID.int8)],
  [4072, (bytes) => (bytes.uint8(), bytes.text())], // jsonpath, after its version
  [4451, ofMultirange(OID.int4)],
  [4532, ofMultirange(OID.numeric)],
  [4533, ofMultirange(OID.timestamp)],
  [4534, ofMultirange(OID.timestamptz)],
  [4535, ofMultirange(OID.date)],
  [4536, ofMultirange(OID.int8)],
  [5038, Plain.snapshot], // pg_snapshot
  [5069, (bytes) => String(BigInt.asUintN(64, bytes.int64()))] // xid8
])

/** Types that are more than text when they stand alone. */
const values = new Map<number, Read>([
  [600, Geometry.point],
  [718, Geometry.circle],
  // The names of these are known to the server alone. A number is what the driver makes of `regclass` too.
  ...[24, 2202, 2203, 2204, 2206, 3734, 3769, 4089, 4096, 4191].map((oid) =>
    [oid, (bytes: Bytes) => bytes.uint32()] as const
  )
])

/** How the types that the driver reads are written inside a record or a range. */
const written = new Map<number, Write>([
  [OID.bool, (bytes) => bytes.uint8() === 0 ? "f" : "t"],
  [OID.bytea, (bytes) => `\\x${Plain.hex(bytes.rest())}`],
  [OID.int2, (bytes) => String(bytes.int16())],
  [OID.int4, (bytes) => String(bytes.int32())],
  [OID.int8, (bytes) => String(bytes.int64())],
  [OID.oid, unsigned],
  [OID.regclass, unsigned],
  [OID.float4, (bytes) => Plain.float4(bytes.float32())],
  [OID.float8, (bytes) => Plain.float(bytes.float64())],
  [OID.date, Plain.date],
  [OID.time, Plain.time],
  [OID.timetz, Plain.timetz],
  [OID.timestamp, Plain.timestamp("")],
  [OID.timestamptz, Plain.timestamp("+00")],
  [OID.interval, Plain.interval],
  [OID.json, text],
  [OID.jsonb, (bytes) => (bytes.uint8(), bytes.text())],
  [600, (bytes) => Geometry.pointText(Geometry.point(bytes))],
  [718, Geometry.circleText]
])

// The driver's codec gives the server's text of these.
const textual = new Set<number>([
  OID.text,
  OID.varchar,
  OID.bpchar,
  OID.name,
  OID.numeric,
  OID.uuid,
  OID.inet,
  OID.cidr
])

const firstOfUsers = 16_384

/** As text, for a value inside another. */
const textOf = (oid: number, bytes: Uint8Array): string => {
  const write = texts.get(oid) ?? written.get(oid)
  if (write !== undefined) return write(new Bytes(bytes))
  if (textual.has(oid)) return String(Result.getOrThrow(PgTypes.decode(bytes, oid, 1)))
  return isText(bytes) ? new Bytes(bytes).text() : ofParts(oid, bytes, (bytes) => Composite.arrayText(bytes, textOf))
}

/** A value made of others, as its bytes tell. */
const ofParts = <A>(oid: number, bytes: Uint8Array, array: (bytes: Uint8Array) => A): A | string => {
  const isOne = Result.try(() => array(bytes))
  if (Result.isSuccess(isOne)) return isOne.success
  const record = Result.try(() => Composite.record(bytes, textOf))
  if (Result.isSuccess(record)) return record.success
  throw new UnreadableType(
    `values of the ${oid < firstOfUsers ? "" : "user-defined "}type ${oid} can't be read in binary form`
  )
}

// No text of the server has a zero in it, and nearly no binary form of a value is without one.
const isText = (bytes: Uint8Array): boolean => !bytes.some((byte) => byte < 9 || (byte > 13 && byte < 32))

/**
 * Values that `Date` can't hold: infinity, as a number, and years that are too far, as text. The driver makes dates of
 * them that are none.
 */
export const beyondDates = (oid: number, bytes: Uint8Array): number | string => {
  const said = textOf(oid, bytes)
  return said === "infinity" ? Infinity : said === "-infinity" ? -Infinity : said
}

/** Whether the driver reads the type as dates. */
export const isDated = (oid: number): boolean => oid === OID.timestamp || oid === OID.timestamptz

export const isNoDate = (value: unknown): boolean => value instanceof Date && Number.isNaN(value.getTime())

/** Whether the driver, or the program's own registry, has a codec for the type. */
const isKnown = (oid: number, registry: PgTypes.Registry | undefined): boolean => {
  // The registry can't be asked; but it tells a value that is of the wrong kind from a type that it does not have.
  const probe = Result.try(() => PgTypes.encode(undefined, oid, registry))
  if (Result.isFailure(probe)) return true
  return Result.isSuccess(probe.success) || !probe.success.failure.message.startsWith("No codec registered")
}

/** The reader of a column of the type; `undefined` leaves it to the driver. */
export const readerOf = (
  oid: number,
  registry: PgTypes.Registry | undefined
): ((bytes: Uint8Array) => unknown) | undefined =>
  oid === OID.timestampArray || oid === OID.timestamptzArray
    ? (bytes) => arrayOf(bytes, registry)
    : isKnown(oid, registry)
    ? undefined
    : (bytes) => read(oid, bytes, registry)

const read = (oid: number, bytes: Uint8Array, registry: PgTypes.Registry | undefined): unknown => {
  const value = values.get(oid) ?? texts.get(oid)
  if (value !== undefined) return value(new Bytes(bytes))
  return isText(bytes) ? new Bytes(bytes).text() : ofParts(oid, bytes, (bytes) => arrayOf(bytes, registry))
}

/** An array of any type, which the driver reads only if it has one dimension and begins at 1. */
export const arrayOf = (bytes: Uint8Array, registry: PgTypes.Registry | undefined): ReadonlyArray<unknown> => {
  // All elements are of one type.
  let one: ((element: Uint8Array) => unknown) | undefined
  return Composite.array(bytes, (oid, element) => {
    one ??= readerOf(oid, registry) ?? ((element) => Result.getOrThrow(PgTypes.decode(element, oid, 1, registry)))
    const value = one(element)
    return isNoDate(value) ? beyondDates(oid, element) : value
  })
}
