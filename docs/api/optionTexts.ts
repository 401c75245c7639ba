/**
 * Reads what the sources say of each option: the comment beside its type is the one place where an option is described,
 * so a page made of it can't be out of date.
 */
import { readFileSync } from "node:fs"
// That of the API reference, which stands here: TypeScript 7 has no stable interface for programs.
import ts from "typescript"

export interface OptionText {
  /** With the options that it is part of: `breaker.failureRate`. */
  readonly name: string
  readonly type: string
  /** Its effect, without the sentences of the next three. */
  readonly what: string
  readonly default: string
  readonly tooSmall: string
  readonly tooLarge: string
}

/** The interfaces, aliases and members of some files by their names. */
export interface Declarations {
  readonly membersOf: (name: string) => ReadonlyArray<OptionText>
}

/** How a comment begins of what only pools set for each other. */
const notForUsers = "Set by a pool"

type Members = ReadonlyArray<ts.TypeElement>

export const read = (files: ReadonlyArray<string>): Declarations => {
  const known = new Map<string, { readonly members: Members; readonly parents: ReadonlyArray<string> }>()
  for (const file of files) {
    const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true)
    for (const statement of source.statements) {
      if (ts.isInterfaceDeclaration(statement)) {
        const parents = (statement.heritageClauses ?? []).flatMap(({ types }) => types.map(nameOfParent))
        known.set(statement.name.text, { members: statement.members, parents })
      } else if (ts.isTypeAliasDeclaration(statement)) {
        const members = literalsOf(statement.type)
        const parents = ts.isIntersectionTypeNode(statement.type) ? statement.type.types.flatMap(namesIn) : []
        if (members.length + parents.length > 0) known.set(statement.name.text, { members, parents })
      }
    }
  }
  const textsOf = (name: string, prefix: string): ReadonlyArray<OptionText> => {
    const found = known.get(name)
    if (found === undefined) return []
    return [
      ...found.members.filter(ts.isPropertySignature).flatMap((member) => ofMember(member, prefix)),
      ...found.parents.flatMap((parent) => textsOf(parent, prefix))
    ]
  }
  const ofMember = (member: ts.PropertySignature, prefix: string): ReadonlyArray<OptionText> => {
    if (commentOf(member).startsWith(notForUsers)) return []
    const name = prefix + member.name.getText()
    const within = literalsOf(member.type).filter(ts.isPropertySignature)
    const named = namesIn(member.type).filter((type) => known.has(type))
    return [
      { name, type: typeOf(member), ...sortedText(commentOf(member)) },
      ...within.flatMap((inner) => ofMember(inner, `${name}.`)),
      ...named.flatMap((type) => textsOf(type, `${name}.`))
    ]
  }
  return { membersOf: (name) => textsOf(name, "") }
}

/** The parent's own name: `PoolConfig.PoolOptions` is `PoolOptions`, and what `Omit` takes is its first argument's. */
const nameOfParent = (type: ts.ExpressionWithTypeArguments): string => {
  const name = type.expression.getText().split(".").at(-1) ?? ""
  return name === "Omit" ? type.typeArguments?.[0]?.getText().split(".").at(-1) ?? "" : name
}

const literalsOf = (type: ts.TypeNode | undefined): Members =>
  type === undefined
    ? []
    : ts.isUnionTypeNode(type)
    ? type.types.flatMap(literalsOf)
    // A message type without a schema, as most read it.
    : ts.isConditionalTypeNode(type)
    ? literalsOf(type.trueType)
    : ts.isTypeLiteralNode(type) && type.members.every((member) => ts.isPropertySignature(member))
    ? [...type.members]
    : []

/** The types that a union names, those of lists included. */
const namesIn = (type: ts.TypeNode | undefined): ReadonlyArray<string> => {
  if (type === undefined) return []
  if (ts.isUnionTypeNode(type)) return type.types.flatMap(namesIn)
  if (!ts.isTypeReferenceNode(type)) return []
  const name = type.typeName.getText().split(".").at(-1) ?? ""
  return name === "ReadonlyArray" ? (type.typeArguments ?? []).flatMap(namesIn) : [name]
}

const typeOf = (member: ts.PropertySignature): string =>
  literalsOf(member.type).length > 0
    ? "object"
    : (member.type?.getText() ?? "").replaceAll(/\s+/g, " ").replace(/ \| undefined$/, "").replace(/^\| /, "")

const commentOf = (member: ts.PropertySignature): string => {
  const comment = ts.getJSDocCommentsAndTags(member).find(ts.isJSDoc)
  return (ts.getTextOfJSDocComment(comment?.comment) ?? "").replaceAll(/\s+/g, " ").trim()
}

/** A comment's sentences, sorted. The words with which they begin are a convention of this repository. */
const sortedText = (comment: string): Omit<OptionText, "name" | "type"> => {
  const sentences = comment.split(/(?<=[.!?])\s+(?=[A-Z"`(])/)
  const begins = (start: RegExp): string => sentences.filter((sentence) => start.test(sentence)).join(" ")
  const rest = sentences.filter((sentence) =>
    choice.test(sentence) || ![byDefault, small, large].some((start) => start.test(sentence))
  )
  return {
    what: rest.join(" "),
    default: begins(byDefault),
    tooSmall: capital(begins(small).replaceAll(/(^| )(Too (small|short|narrow|few)|None): /g, "$1")),
    tooLarge: capital(begins(large).replaceAll(/(^| )Too (large|long|wide|many): /g, "$1"))
  }
}

const byDefault = /^(Default|By default|Off by default|`"\w+"` \(default\))/
/** The effect of one of several values, which is the default. */
const choice = /^`"\w+"` \(default\)/
const small = /^Too (small|short|narrow|few): /
const large = /^(Too (large|long|wide|many)|None): /

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
