/**
 * The comment of each option that is a number or a duration must say `Default ...`, and `Too small: ...` or `Too large: ...`
 * (`short`, `long`, `few`, `many`), since the pages of all options are made of them. Part of `npm run check`.
 */
import { fileURLToPath } from "node:url"
import { lacking } from "./optionSources.ts"

const lines = lacking(fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, ""))
for (const line of lines) process.stdout.write(`${line}\n`)
process.exitCode = lines.length === 0 ? 0 : 1
