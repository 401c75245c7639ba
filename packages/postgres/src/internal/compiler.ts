/**
 * Compiles statements that are nothing but text and parameters, which most are, and leaves all others to the driver's
 * compiler.
 *
 * That one keeps what it has compiled in a `WeakMap`, by the statement. Since a statement is made anew each time it is
 * run, it is never found there again, and keeping it costs more than all the rest of the way through the client.
 */
import type { Compiler, Fragment } from "effect/sql/Statement"

export const make = (full: Compiler): Compiler => {
  const plain: Compiler = {
    ...shortened(full.withoutTransform),
    // Itself, for one made anew at each look would never end for whoever shows a pool with all that it holds.
    get withoutTransform() {
      return plain
    }
  }
  return { ...shortened(full), withoutTransform: plain }
}

const shortened = (full: Compiler): Pick<Compiler, "dialect" | "compile"> => ({
  dialect: full.dialect,
  compile: (statement, withoutTransform) => compilePlain(statement) ?? full.compile(statement, withoutTransform)
})

/** `undefined` for a statement with helpers or identifiers, whose names may have to be transformed. */
const compilePlain = ({ segments }: Fragment): readonly [sql: string, params: ReadonlyArray<unknown>] | undefined => {
  let text = ""
  let placeholders = 0
  const params: Array<unknown> = []
  for (const segment of segments) {
    if (segment._tag === "Parameter") {
      text += `$${++placeholders}`
      params.push(segment.value)
    } else if (segment._tag === "Literal") {
      text += segment.value
      if (segment.params !== undefined) params.push(...segment.params)
    } else return undefined
  }
  return [text, params]
}
