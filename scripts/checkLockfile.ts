/**
 * Fails when an entry of package-lock.json that this machine can install has no `integrity`: npm would take whatever
 * the registry answers. Binaries for other platforms may lack it, since not every registry has them to be asked; nobody
 * installs them from here. `npm run lockfile` adds the hashes that are to be had.
 */
import { readFileSync } from "node:fs"

interface LockedPackage {
  readonly integrity?: string
  readonly link?: boolean
  readonly optional?: boolean
  readonly os?: ReadonlyArray<string>
  readonly cpu?: ReadonlyArray<string>
  readonly libc?: ReadonlyArray<string>
}

const file = new URL("../package-lock.json", import.meta.url)
const { packages } = JSON.parse(readFileSync(file, "utf8")) as { readonly packages: Record<string, LockedPackage> }

const { header } = process.report.getReport() as unknown as {
  readonly header: { readonly glibcVersionRuntime?: string }
}
const libc = header.glibcVersionRuntime === undefined ? "musl" : "glibc"

const allows = (wanted: ReadonlyArray<string> | undefined, here: string): boolean =>
  wanted === undefined || wanted.includes(here)

const isForHere = ({ cpu, libc: libcs, optional, os }: LockedPackage): boolean =>
  optional !== true || (allows(os, process.platform) && allows(cpu, process.arch) && allows(libcs, libc))

const entries = Object.entries(packages).filter(([path, { link }]) => path.includes("node_modules/") && link !== true)
if (entries.length === 0) throw new Error("package-lock.json names no package")

const bare = entries.filter(([, entry]) => entry.integrity === undefined && isForHere(entry)).map(([path]) => path)
for (const path of bare) process.stderr.write(`package-lock.json: ${path} has no integrity: npm run lockfile\n`)
process.exitCode = bare.length === 0 ? 0 : 1
