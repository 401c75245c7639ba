/**
 * From messages to what is on the wire, and back.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaIssue from "effect/SchemaIssue"
import type { MessageSchema, RawMessage } from "./configModel.ts"
import { shortWay } from "./plainJson.ts"

export interface Codec<Message> {
  /** Fails with what does not fit, without the message itself. */
  readonly encode: (message: Message) => Result.Result<RawMessage, string>
  readonly decode: (frame: RawMessage) => Result.Result<Message, string>
  /** Without a schema a message is what is on the wire, and neither is called. */
  readonly isIdentity: boolean
}

export const make = <Message>(schema: MessageSchema<Message> | undefined): Codec<Message> => {
  if (schema === undefined) return identity as unknown as Codec<Message>
  const encode = Schema.encodeUnknownExit(schema as Schema.Codec<Message, RawMessage>)
  const decode = Schema.decodeUnknownExit(schema as Schema.Codec<Message, RawMessage>)
  const short = shortWay(schema)
  return {
    encode: (message) =>
      short?.encode(message) ?? Result.filterOrFail(resultOf(encode(message)), isFrame, () => notOnTheWire),
    decode: (frame) => short?.decode(frame) ?? resultOf(decode(frame)),
    isIdentity: false
  }
}

const isFrame = (encoded: unknown): boolean => typeof encoded === "string" || encoded instanceof Uint8Array

const notOnTheWire = "the schema encodes to neither text nor bytes: Schema.fromJsonString makes it JSON"

const identity: Codec<RawMessage> = { encode: Result.succeed, decode: Result.succeed, isIdentity: true }

const resultOf = <A>(exit: Exit.Exit<A, Schema.SchemaError>): Result.Result<A, string> => {
  if (Exit.isSuccess(exit)) return Result.succeed(exit.value)
  const error = Cause.squash(exit.cause)
  return Result.fail(Schema.isSchemaError(error) ? describe(error.issue) : "the schema can't be applied at once")
}

/** Where it does not fit and what was expected there; texts of the schema's authors and of parsers may quote the input. */
const describe = (issue: SchemaIssue.Issue): string => {
  let path = ""
  let at: SchemaIssue.Issue = issue
  while (true) {
    switch (at._tag) {
      case "Pointer":
        path += at.path.map((key) => `[${JSON.stringify(String(key))}]`).join("")
        at = at.issue
        continue
      case "Composite":
      case "AnyOf": {
        const first: SchemaIssue.Issue | undefined = at.issues[0]
        if (first === undefined) return text(at, path)
        at = first
        continue
      }
      case "Filter":
      case "Encoding":
        at = at.issue
        continue
      default:
        return text(at, path)
    }
  }
}

const text = (issue: SchemaIssue.Issue, path: string): string => {
  const what = issue._tag === "InvalidType" ? `expected ${issue.ast._tag.toLowerCase()}` : names[issue._tag]
  return (path === "" ? what : `${what} at ${path}`).slice(0, 200)
}

const names: Readonly<Record<SchemaIssue.Issue["_tag"], string>> = {
  InvalidType: "another type",
  InvalidValue: "a value that is not allowed",
  MissingKey: "a missing key",
  UnexpectedKey: "an unexpected key",
  Forbidden: "a forbidden operation",
  OneOf: "more than one alternative fits",
  AnyOf: "no alternative fits",
  Filter: "a value that is not allowed",
  Encoding: "another encoding",
  Pointer: "another value",
  Composite: "another value"
}
