/**
 * Stands between the server's messages and the driver, so that what the driver can't take is the error of the one
 * statement that asked for it.
 *
 * The driver gives the session up over a value that it can't decode, a row above `maxMessageSize` and any COPY, and with
 * it fails what others have on the same connection, although the server carried it out. So rows are read here first, and
 * a statement whose answer is of no use ends for the driver as one that the server has refused: its own caller is told,
 * and the session lives.
 *
 * It can go when the driver fails only the statement whose row it can't read: `Types.integration.test.ts` and
 * `Sharing.integration.test.ts` pass then without it.
 */
import * as ServerText from "@effect-pools/core/ServerText"
import type { BackendMessage, ErrorFields, FieldDescription, FieldReader, Parser } from "@effect/sql-pg/PgProtocol"
import type { Registry } from "@effect/sql-pg/PgTypes"
import * as Catalogue from "../types/catalogue.ts"
import { Framer } from "./framer.ts"

type Message = BackendMessage<unknown>
type OnMessage = (message: Message) => void

/** The parts of the driver that the filter needs. */
export interface Seam {
  readonly parser: Parser<unknown>
  /** The program's own codecs. */
  readonly registry: Registry | undefined
  readonly maxMessageSize: number
  readonly write: (bytes: Uint8Array) => void
}

export const install = (seam: Seam, observer: OnMessage): void => {
  const filter = new Filter(seam, observer)
  const { parser } = seam
  const pushEach = parser.pushEach
  // The driver gives the same function each time, so it is kept.
  let next: OnMessage = () => {}
  let careful = parser.readField
  // The driver puts its reader there when it sends, when it is told the columns, and at the end of an answer. As an accessor
  // the property would cost each row as much as reading it.
  const takeCare = (): void => {
    if (parser.readField === careful) return
    careful = filter.careful(parser.readField)
    parser.readField = careful
  }
  const onMessage = (message: Message): void => {
    // Most of what comes are rows, and nothing but their values matters.
    if (message._tag === "DataRow") {
      if (!filter.isRefusing) next(message)
      return
    }
    filter.take(message, next)
    takeCare()
  }
  const framer = new Framer(
    seam.maxMessageSize,
    (bytes) => {
      takeCare()
      pushEach.call(parser, bytes, onMessage)
    },
    (length) => filter.refuse(`a row of ${length} bytes exceeds maxMessageSize, which is ${seam.maxMessageSize} bytes`)
  )
  Object.assign(parser, {
    pushEach: (chunk: Uint8Array, given: OnMessage) => {
      next = given
      framer.push(chunk)
    }
  })
}

/** The most characters of one part of an error: a `DETAIL` or a `CONTEXT` may be long and of use. */
const longestPart = 4000

/** A server's words about an error, fit for a log and a terminal. */
const cleaned = (fields: ErrorFields): ErrorFields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, part]) => [
      name,
      part === undefined ? undefined : ServerText.clean(part, longestPart)
    ])
  )

class Filter {
  private readonly seam: Seam
  private readonly observer: OnMessage
  /** The columns told last, which are those of the reader that the driver installs next. */
  private columns: ReadonlyArray<FieldDescription> = []
  private readonly readers = new WeakMap<FieldReader<unknown>, FieldReader<unknown>>()
  /** Why the answer of the statement that is being answered is of no use. */
  private failure: ErrorFields | undefined = undefined
  /** Whether the server was told to end a COPY, and says so next. */
  private isEndingCopy = false

  constructor(seam: Seam, observer: OnMessage) {
    this.seam = seam
    this.observer = observer
  }

  get isRefusing(): boolean {
    return this.failure !== undefined
  }

  /** Takes whatever is no row. */
  take(message: Message, next: OnMessage): void {
    this.observer(message)
    switch (message._tag) {
      case "RowDescription":
        this.columns = message.fields
        break
      case "CopyInResponse":
        this.refuse(noCopy, "")
        this.isEndingCopy = true
        return this.seam.write(endOfCopy)
      case "CopyOutResponse":
      case "CopyData":
      case "CopyDone":
        return this.refuse(noCopy, "")
      case "CommandComplete":
        if (this.failure !== undefined) return next({ _tag: "ErrorResponse", fields: this.failure })
        break
      case "ErrorResponse":
        if (this.failure !== undefined && this.isEndingCopy) {
          return next({ _tag: "ErrorResponse", fields: { ...this.failure } })
        }
        return next({ _tag: "ErrorResponse", fields: cleaned(message.fields) })
      case "ReadyForQuery":
        this.failure = undefined
        this.isEndingCopy = false
        break
      default:
        break
    }
    next(message)
  }

  refuse(why: string, outcome = carriedOut): void {
    this.failure ??= { severity: "ERROR", message: `${why}${outcome}` }
  }

  /** The driver's reader, with our own for the columns that it has no codec for. What both can't read is told later. */
  careful(reader: FieldReader<unknown> | undefined): FieldReader<unknown> | undefined {
    if (reader === undefined) return undefined
    const known = this.readers.get(reader)
    if (known !== undefined) return known
    const made = this.makeCareful(reader, this.columns)
    this.readers.set(reader, made)
    return made
  }

  private makeCareful(
    reader: FieldReader<unknown>,
    columns: ReadonlyArray<FieldDescription>
  ): FieldReader<unknown> {
    const { registry } = this.seam
    const own = columns.map(({ dataTypeOid }) => Catalogue.readerOf(dataTypeOid, registry))
    const dated = columns.map(({ dataTypeOid }) => Catalogue.isDated(dataTypeOid))
    if (own.every((read) => read === undefined) && !dated.includes(true)) return this.makePlain(reader, columns)
    return (bytes, offset, size, column) => {
      if (size < 0 || this.failure !== undefined) return null
      // Through `Result` each value of each row would cost an object more.
      // oxlint-disable-next-line effect-pools/no-try
      try {
        const read = own[column]
        if (read !== undefined) return read(bytes.subarray(offset, offset + size))
        const value = reader(bytes, offset, size, column)
        return dated[column] === true && Catalogue.isNoDate(value)
          ? Catalogue.beyondDates(columns[column]!.dataTypeOid, bytes.subarray(offset, offset + size))
          : value
      } catch (cause) {
        return this.secondChance(bytes.subarray(offset, offset + size), columns[column], cause)
      }
    }
  }

  /** For columns that the driver reads by itself, which most are: each value passes here. */
  private makePlain(reader: FieldReader<unknown>, columns: ReadonlyArray<FieldDescription>): FieldReader<unknown> {
    return (bytes, offset, size, column) => {
      // Through `Result` each value of each row would cost an object more.
      // oxlint-disable-next-line effect-pools/no-try
      try {
        return reader(bytes, offset, size, column)
      } catch (cause) {
        return this.secondChance(bytes.subarray(offset, offset + size), columns[column], cause)
      }
    }
  }

  /** An array of several dimensions is one that the driver has a codec for, and refuses. */
  private secondChance(bytes: Uint8Array, column: FieldDescription | undefined, cause: unknown): unknown {
    // Through `Result` each value of the arrays that the driver refuses would cost an object more.
    // oxlint-disable-next-line effect-pools/no-try
    try {
      return Catalogue.arrayOf(bytes, this.seam.registry)
    } catch {
      const why = cause instanceof Error ? cause.message : "its codec failed"
      this.refuse(
        `column ${JSON.stringify(column?.name.slice(0, 100) ?? "")} can't be read: ${why}`,
        castIt + carriedOut
      )
      return null
    }
  }
}

const noCopy = "COPY from or to the client is not supported: use INSERT, or a stream"
const castIt = "; select it as text, with ::text, or give a codec with the option types"
const carriedOut = ". The statement itself was carried out"

/** CopyFail, and the Sync that begins anew: the one that the driver sent was passed over as part of the COPY. */
const endOfCopy = Buffer.from([0x66, 0, 0, 0, 5, 0, 0x53, 0, 0, 0, 4])
