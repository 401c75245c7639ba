/**
 * Finds the fields of classes and interfaces that more than one file writes.
 *
 * The compiler itself says which field an expression means, so neither names that occur twice nor aliases of a record hide
 * anything. A write is an assignment, `++`, `--`, `delete`, a write to an element, and a call that changes an array, a set or
 * a map that the field holds. Not seen is a collection that a local name stands for: types hide that (`ReadonlyArray`).
 */
import { relative } from "node:path"
import {
  type Expression,
  isArrayLiteralExpression,
  isBinaryExpression,
  isCallExpression,
  isClassStaticBlockDeclaration,
  isConstructorDeclaration,
  isDeleteExpression,
  isElementAccessExpression,
  isNonNullExpression,
  isObjectLiteralExpression,
  isParenthesizedExpression,
  isPostfixUnaryExpression,
  isPrefixUnaryExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
  isSpreadElement,
  type Node,
  type PropertyAccessExpression,
  SyntaxKind
} from "typescript/unstable/ast"
import { API, type Project, type Symbol } from "typescript/unstable/sync"

/** A field and the files that write it. */
export interface Written {
  /** As `Class.field`. */
  readonly field: string
  readonly declaredIn: string
  readonly writers: ReadonlyArray<Writer>
}

export interface Writer {
  readonly file: string
  readonly line: number
}

const mutators = new Set(
  [
    "push",
    "pop",
    "shift",
    "unshift",
    "splice",
    "sort",
    "reverse",
    "fill",
    "copyWithin",
    "set",
    "add",
    "delete",
    "clear"
  ]
)

/** The fields declared in files that `isOurs` names, each with every place outside a constructor that writes it. */
export const writtenFields = (
  cwd: string,
  config: string,
  isOurs: (file: string) => boolean
): ReadonlyArray<Written> => {
  const api = new API({ cwd })
  try {
    const snapshot = api.updateSnapshot({ openProjects: [config] })
    const [project] = snapshot.getProjects()
    if (project === undefined) throw new Error(`${config} is no project`)
    return collect(project, cwd, isOurs)
  } finally {
    api.close()
  }
}

/** Those with more than one writing file. */
export const withTwoWriters = (all: ReadonlyArray<Written>): ReadonlyArray<Written> =>
  all.filter(({ writers }) => new Set(writers.map(({ file }) => file)).size > 1)

const collect = (project: Project, cwd: string, isOurs: (file: string) => boolean): ReadonlyArray<Written> => {
  const found = new Map<string, { field: string; declaredIn: string; writers: Array<Writer> }>()
  for (const path of project.program.getSourceFileNames()) {
    if (path.includes("node_modules") || path.endsWith(".d.ts")) continue
    const source = project.program.getSourceFile(path)
    if (source === undefined) continue
    const targets = targetsIn(source)
    const symbols = project.checker.getSymbolAtLocation(targets.map(({ access }) => access.name))
    for (const [index, { access, isMutator }] of targets.entries()) {
      const field = fieldOf(symbols[index], cwd, isOurs)
      if (field === undefined || (isMutator && !isCollection(project, access))) continue
      const key = `${field.declaredIn} ${field.field}`
      const entry = found.get(key) ?? { ...field, writers: [] }
      found.set(key, entry)
      entry.writers.push({ file: relative(cwd, path), line: lineOf(source.text, access.name.end) })
    }
  }
  return [...found.values()]
}

const lineOf = (text: string, end: number): number => text.slice(0, end).split("\n").length

interface Target {
  readonly access: PropertyAccessExpression
  /** Written by a call, which counts where the field holds a collection. */
  readonly isMutator: boolean
}

const targetsIn = (source: Node): ReadonlyArray<Target> => {
  const targets: Array<Target> = []
  const add = (expression: Expression, isMutator = false): void => {
    for (const access of fieldsIn(expression)) targets.push({ access, isMutator })
  }
  const visit = (node: Node): void => {
    // How a record begins.
    if (isConstructorDeclaration(node) || isClassStaticBlockDeclaration(node)) return
    if (isBinaryExpression(node) && isAssignment(node.operatorToken.kind)) add(node.left)
    else if ((isPrefixUnaryExpression(node) || isPostfixUnaryExpression(node)) && isStep(node.operator)) {
      add(node.operand)
    } else if (isDeleteExpression(node)) add(node.expression)
    else if (isCallExpression(node) && isPropertyAccessExpression(node.expression)) {
      if (mutators.has(node.expression.name.text)) add(node.expression.expression, true)
    }
    node.forEachChild(visit)
  }
  visit(source)
  return targets
}

const isAssignment = (kind: SyntaxKind): boolean =>
  kind >= SyntaxKind.FirstAssignment && kind <= SyntaxKind.LastAssignment

const isStep = (operator: SyntaxKind): boolean =>
  operator === SyntaxKind.PlusPlusToken || operator === SyntaxKind.MinusMinusToken

/** The fields that are written where an expression is: an element is a part of its field. */
const fieldsIn = (expression: Node): ReadonlyArray<PropertyAccessExpression> => {
  if (isPropertyAccessExpression(expression)) return [expression]
  if (
    isElementAccessExpression(expression) || isNonNullExpression(expression) ||
    isParenthesizedExpression(expression) || isSpreadElement(expression)
  ) return fieldsIn(expression.expression)
  if (isArrayLiteralExpression(expression)) return expression.elements.flatMap(fieldsIn)
  if (isObjectLiteralExpression(expression)) return expression.properties.flatMap(fieldsIn)
  if (isPropertyAssignment(expression)) return fieldsIn(expression.initializer)
  // A default within a pattern.
  return isBinaryExpression(expression) ? fieldsIn(expression.left) : []
}

const fieldOf = (
  symbol: Symbol | undefined,
  cwd: string,
  isOurs: (file: string) => boolean
): { readonly field: string; readonly declaredIn: string } | undefined => {
  const path = (symbol?.valueDeclaration ?? symbol?.declarations[0])?.path
  if (symbol === undefined || path === undefined) return undefined
  const declaredIn = relative(cwd, path)
  return isOurs(declaredIn) ? { field: `${symbol.getParent()?.name ?? "?"}.${symbol.name}`, declaredIn } : undefined
}

const collections = new Set(["Array", "Set", "Map", "WeakMap", "WeakSet"])

const isCollection = (project: Project, access: PropertyAccessExpression): boolean =>
  collections.has(project.checker.getTypeAtLocation(access)?.getSymbol()?.name ?? "")
