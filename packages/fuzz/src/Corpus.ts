/** The exchanges that once went wrong, one file each: they are said again at the beginning of every run. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Answer, Conversations } from "./HostileServer.ts"

export interface Case {
  readonly protocol: string
  /** The fault, in words. */
  readonly found: string
  readonly said: Conversations
}

export const corpusFolder: string = fileURLToPath(new URL("../corpus/", import.meta.url))

interface StoredAnswer {
  readonly hex: string
  readonly pieces: number
  readonly then: Answer["then"]
}

interface Stored {
  readonly protocol: string
  readonly found: string
  readonly said: ReadonlyArray<ReadonlyArray<StoredAnswer>>
}

const read = ({ hex, pieces, then }: StoredAnswer): Answer => ({ bytes: Buffer.from(hex, "hex"), pieces, then })

const store = ({ bytes, pieces, then }: Answer): StoredAnswer => ({ hex: bytes.toString("hex"), pieces, then })

export const readCorpus = (folder: string): ReadonlyArray<Case> =>
  readdirSync(folder).filter((name) => name.endsWith(".json")).map((name) => {
    const { found, protocol, said } = JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as Stored
    return { protocol, found, said: said.map((answers) => answers.map(read)) }
  })

export const writeCase = (folder: string, name: string, { found, protocol, said }: Case): string => {
  const stored: Stored = { protocol, found, said: said.map((answers) => answers.map(store)) }
  mkdirSync(folder, { recursive: true })
  const file = `${folder}/${name}.json`
  writeFileSync(file, `${JSON.stringify(stored, null, 2)}\n`)
  return file
}
