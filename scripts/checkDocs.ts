/**
 * Type checks every program that the documentation shows: the `ts` blocks of the pages, of the READMEs and of the comments
 * in the packages' sources. Then holds what pages say of tests and errors against the sources. `npm run check:docs`.
 */
import { spawnSync } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { check } from "./site/checkFacts.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

// Below the root, so that a block finds what a program in this repository finds.
const folder = `${root}.cache/docs`

interface Block {
  readonly file: string
  readonly line: number
  readonly code: string
}

const readBlocks = (file: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  let opened: { readonly line: number; readonly margin: RegExp; readonly lines: Array<string> } | undefined
  readFileSync(`${root}${file}`, "utf8").split("\n").forEach((text, index) => {
    if (opened === undefined) {
      const fence = /^(\s*\* |\s*)```ts$/.exec(text)
      if (fence !== null) {
        const isComment = fence[1]?.includes("*") === true
        opened = { line: index + 1, margin: isComment ? /^\s*\* ?/ : /^/, lines: [] }
      }
    } else if (/^(\s*\* |\s*)```$/.test(text)) {
      blocks.push({ file, line: opened.line, code: opened.lines.join("\n") })
      opened = undefined
    } else {
      opened.lines.push(text.replace(opened.margin, ""))
    }
  })
  return blocks
}

const files = [
  ...globSync("*.md", { cwd: root }),
  ...globSync("docs/{guide,moving,coming-from,project}/**/*.md", { cwd: root }),
  ...globSync("{packages,examples}/*/README.md", { cwd: root }),
  ...globSync("packages/*/src/**/*.ts", { cwd: root })
]
const blocks = files.flatMap(readBlocks)
if (blocks.length === 0) throw new Error("the documentation shows no program, or it was not found")

const nameOf = ({ file, line }: Block): string => `${file.replaceAll(/[/.]/g, "_")}_${line}.ts`

rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const block of blocks) {
  const path = `${folder}/${nameOf(block)}`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${block.code}\nexport {}\n`)
}
writeFileSync(
  `${folder}/tsconfig.json`,
  JSON.stringify({
    extends: "../../tsconfig.base.json",
    // A block may declare what it only talks about.
    compilerOptions: { noEmit: true, incremental: false, noUnusedLocals: false, noUnusedParameters: false },
    include: ["*.ts"]
  })
)

const { status, stdout } = spawnSync("tsc", ["-p", folder, "--pretty", "false"], { encoding: "utf8" })
const byName = new Map(blocks.map((block) => [nameOf(block), block]))
// The place in the documentation, not that of the copy.
const told = stdout.replaceAll(
  /^.*?([^/\s]+_ts_\d+\.ts|[^/\s]+_md_\d+\.ts)\((\d+),(\d+)\)/gm,
  (all, name, line, column) => {
    const block = byName.get(String(name))
    return block === undefined ? String(all) : `${block.file}:${block.line + Number(line)}:${column}`
  }
)
process.stdout.write(told)
if (status === 0) {
  process.stdout.write(`${blocks.length} programs of the documentation compile\n`)
  rmSync(folder, { recursive: true, force: true })
}
const wrong = check(root.replace(/\/$/, ""))
for (const line of wrong) process.stdout.write(`${line}\n`)
process.exitCode = wrong.length > 0 ? 1 : status ?? 1
