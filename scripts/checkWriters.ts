/**
 * Checks that no field of the engine has two writers: each is written by one file, its owner.
 */
import { join, normalize } from "node:path"
import { withTwoWriters, writtenFields } from "./writers.ts"

const root = normalize(join(import.meta.dirname, ".."))
const engine = "packages/core/src/"

const all = writtenFields(root, "packages/core/tsconfig.json", (file) => file.startsWith(engine))
for (const { declaredIn, field, writers } of withTwoWriters(all)) {
  const places = writers.map(({ file, line }) => `${file.replace(engine, "")}:${line}`).join(", ")
  console.error(`checkWriters: ${field} (${declaredIn.replace(engine, "")}) has more than one writer: ${places}`)
  process.exitCode = 1
}
