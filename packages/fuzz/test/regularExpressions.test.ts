import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))

interface Found {
  readonly where: string
  readonly source: string
  readonly flags: string
}

/** Where a literal may begin: after what can't end an expression. */
const literal =
  /(?<=[=(,:;!&|?[{]\s*|return\s+|^\s*)\/(?![*/])((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)/gm

const withoutComments = (text: string): string =>
  text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, (line) => " ".repeat(line.length))

const expressionsOf = (file: string): ReadonlyArray<Found> => {
  const text = withoutComments(readFileSync(`${root}${file}`, "utf8"))
  return Array.from(text.matchAll(literal), ({ 1: source, 2: flags, index }) => ({
    where: `${file}:${text.slice(0, index).split("\n").length}`,
    source: source!,
    flags: flags!
  }))
}

// The fuzzer's own texts, and those of tests and tools, come from nobody outside.
const files = globSync("packages/{core,postgres,redis,http,websocket,manager}/src/**/*.ts", { cwd: root }).toSorted()
const expressions = files.flatMap(expressionsOf)

const long = 100_000

/** Texts on which an expression that looks again and again from every place takes the square of their length. */
const texts = (source: string): ReadonlyArray<string> => {
  const characters = [
    " ",
    "\n",
    "a",
    "A",
    "0",
    "_",
    "-",
    ".",
    "/",
    "%",
    "'",
    "\"",
    "$",
    "(",
    ":",
    "=",
    ",",
    "[",
    "\\",
    "\u001b",
    "é"
  ]
  // The words that it looks for, and its beginning again and again without an end.
  const words = Array.from(source.matchAll(/[A-Za-z0-9_]{2,}|[^\w\s\\]/g), ([word]) => word)
  const pieces = new Set([...characters, ...words, ...words.map((word) => `${word} `), words.join(" ")])
  return Array.from(pieces).filter((piece) => piece !== "").map((piece) =>
    `${piece.repeat(Math.ceil(long / piece.length))}\u0000`
  )
}

const slowest = (source: string, flags: string): { readonly millis: number; readonly text: string } => {
  let worst = { millis: 0, text: "" }
  for (const text of texts(source)) {
    const expression = new RegExp(source, flags.includes("g") ? flags : `${flags}g`)
    const before = performance.now()
    text.replace(expression, "")
    const millis = performance.now() - before
    if (millis > worst.millis) worst = { millis, text: text.slice(0, 20) }
  }
  return worst
}

describe("the regular expressions of the packages", () => {
  it("are found", () => {
    assert.isAbove(expressions.length, 50)
  })

  it("would be told here if one took the square of the text's length", { timeout: 60_000 }, () => {
    assert.isAbove(slowest("temp.*table", "i").millis, 250)
  })

  for (const { flags, source, where } of expressions) {
    it(`take a time that grows with the text alone: /${source}/${flags} of ${where}`, { timeout: 60_000 }, () => {
      const { millis, text } = slowest(source, flags)
      assert.isBelow(millis, 250, `100,000 characters of ${JSON.stringify(text)}`)
    })
  }
})
