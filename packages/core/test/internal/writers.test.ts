import { assert, describe, it } from "@effect/vitest"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { withTwoWriters, type Written, writtenFields } from "../../../../scripts/writers.ts"

const box = `export class Box {
  size = 0
  readonly items: Array<number> = []
  readonly names = new Map<string, number>()
  next: Box | undefined = undefined
  static {
    this.prototype.size = 1
  }
  constructor(size: number) {
    this.size = size
  }
  put(item: number): void {
    this.items.push(item)
    this.names.set("a", item)
    this.size++
  }
}
`

/** Each with a box of its own in another file. */
const examples: Readonly<Record<string, string>> = {
  "reading": "export const f = (box: Box): number => box.size + box.items.length",
  "another field of the same name":
    "class Crate { size = 0 }\nexport const f = (crate: Crate): void => { crate.size = 1 }",
  "the only writer": "export const f = (box: Box): void => {\n  box.next = box\n}",
  ...Object.fromEntries(
    Object.entries({
      "an assignment": "box.size = 2",
      "an assignment of another kind": "box.size ||= 2",
      "a step": "box.size--",
      "a step in front": "++box.size",
      "a pattern": ";({ a: box.size } = { a: 3 })",
      "a pattern with a default": ";[, box.size = 4] = [3]",
      "a pattern for the rest": ";[...box.items] = [3]",
      "an element": "box.items[0] = 1",
      "a call that changes an array": "box.items.splice(0, 1)",
      "a call that changes a map": "box.names.delete(\"a\")",
      "a field behind another": "box.next!.size = 1",
      "a field behind an alias": "const { next } = box; next!.size = 1"
    }).map(([name, statement]) => [name, `export const f = (box: Box): void => {\n  ${statement}\n}`])
  )
}

/** The fields that these programs write, all of which are read at once: to start the compiler is what takes time. */
const found = (): ReadonlyArray<Written> => {
  const root = mkdtempSync(join(tmpdir(), "writers-"))
  try {
    const compilerOptions = { strict: true, noEmit: true, module: "preserve", target: "es2023", types: [] }
    writeFileSync(join(root, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["src"] }))
    for (const [name, text] of Object.entries(examples)) {
      mkdirSync(join(root, "src", name), { recursive: true })
      writeFileSync(join(root, "src", name, "box.ts"), box)
      writeFileSync(join(root, "src", name, "other.ts"), `import { Box } from "./box.ts"\n${text}\n`)
    }
    return writtenFields(root, "tsconfig.json", (file) => file.startsWith("src/"))
  } finally {
    rmSync(root, { recursive: true })
  }
}

describe("checkWriters", () => {
  const all = found()
  const wrong = (name: string) => withTwoWriters(all).filter(({ declaredIn }) => declaredIn === `src/${name}/box.ts`)

  it.each(["reading", "another field of the same name", "the only writer"])("allows %s", (name) => {
    assert.deepStrictEqual(wrong(name), [])
  })

  it.each(Object.keys(examples).filter((name) => examples[name]!.includes("\n  ") && name !== "the only writer"))(
    "finds a second writer by %s",
    (name) => {
      const [field, ...others] = wrong(name)
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(field?.writers.at(-1), { file: `src/${name}/other.ts`, line: 3 })
    }
  )

  it("leaves out how a record begins", () => {
    const size = all.find(({ declaredIn, field }) => declaredIn === "src/reading/box.ts" && field === "Box.size")
    assert.deepStrictEqual(size?.writers, [{ file: "src/reading/box.ts", line: 15 }])
  })
})
