/**
 * A short way for messages that are plain JSON.
 *
 * To `Schema.fromJsonString` JSON is an effect, which takes a fiber for each message. Here the JSON is read and written
 * without one, and only the schema of what is inside is asked, which mostly answers at once. Whatever does not fit is left
 * to the schema itself, so that there is one place that errors come from.
 */
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import type * as SchemaTransformation from "effect/SchemaTransformation"
import type { MessageSchema, RawMessage } from "./configModel.ts"

/** Each yields `undefined` for what it leaves to the schema. */
interface ShortWay<Message> {
  readonly encode: (message: Message) => Result.Result<string, never> | undefined
  readonly decode: (frame: RawMessage) => Result.Result<Message, never> | undefined
}

/** The short way to do what a schema does, if that is plain JSON. */
export const shortWay = <Message>(schema: MessageSchema<Message>): ShortWay<Message> | undefined => {
  const inner = insideOf(schema)
  if (inner === undefined) return undefined
  const encode = Schema.encodeUnknownExit(inner)
  const decode = Schema.decodeUnknownExit(inner)
  return {
    encode: (message) => {
      const encoded = encode(message)
      if (Exit.isFailure(encoded)) return undefined
      const text = Result.try((): string | undefined => JSON.stringify(encoded.value))
      return Result.isSuccess(text) && text.success !== undefined ? Result.succeed(text.success) : undefined
    },
    decode: (frame) => {
      if (typeof frame !== "string") return undefined
      const value = Result.try((): unknown => JSON.parse(frame))
      if (Result.isFailure(value)) return undefined
      const decoded = decode(value.success)
      return Exit.isSuccess(decoded) ? Result.succeed(decoded.value) : undefined
    }
  }
}

/** The schema of what is inside of the JSON, if `fromJsonString` was called with nothing but that and nothing was added. */
const insideOf = <Message>(schema: MessageSchema<Message>): Schema.Codec<Message> | undefined => {
  if (!("to" in schema) || !Schema.isSchema(schema.to)) return undefined
  const inner = schema.to as Schema.Codec<Message>
  const link = schema.ast.encoding?.at(-1)
  const isAlone = link !== undefined && isMadeAs(schema.ast, Schema.fromJsonString(inner).ast)
  return isAlone && isPlain(link.transformation) ? inner : undefined
}

/** Annotations don't matter, nor which of two equal transformations is used. */
const isMadeAs = (ast: SchemaAST.AST, other: SchemaAST.AST): boolean =>
  ast.encoding?.length === other.encoding?.length &&
  ast.encoding?.at(-1)?.to === other.encoding?.at(-1)?.to &&
  Object.entries(ast).every(([key, value]) =>
    key === "encoding" || key === "annotations" || value === other[key as keyof SchemaAST.AST]
  )

/** Effect tells whether a text is the JSON of its content as it is, but not how it is set out. */
const isPlain = (transformation: SchemaAST.Link["transformation"]): boolean => {
  if (transformation._tag !== "Transformation") return false
  // It asks for no services: the schema that it is of doesn't.
  const plain = transformation as SchemaTransformation.Transformation<unknown, string>
  const schema = Schema.String.pipe(Schema.decodeTo(Schema.Any, plain))
  const { representation } = SchemaRepresentation.toRepresentation(schema.ast)
  return representation._tag === "String" && representation.content?.mediaType === "application/json" &&
    representation.content.schema !== undefined && Schema.encodeSync(schema)([0]) === "[0]"
}
