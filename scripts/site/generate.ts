/** Writes what is made of the sources into docs/generated, for the pages that include it. */
import { Effect, Logger } from "effect"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import * as Changelog from "./changelog.ts"
import * as Metrics from "./metrics.ts"
import * as OptionPages from "./optionPages.ts"
import * as Results from "./results.ts"

const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "")
const folder = `${root}/docs/generated`

const write = (name: string, text: string): void => {
  const file = `${folder}/${name}.md`
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

const quiet = Effect.provide(Logger.layer([]))

rmSync(folder, { recursive: true, force: true })
for (const { name, text } of await Effect.runPromise(quiet(OptionPages.make(root)))) write(`options/${name}`, text)
write("metrics", Metrics.table(await Effect.runPromise(quiet(Metrics.families))))
write("changelog", Changelog.text(root))
write("results", Results.text(root))
