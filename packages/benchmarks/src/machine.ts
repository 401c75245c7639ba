/** Where and with what a run was made: times without it say nothing. */
import { readFileSync } from "node:fs"
import { findPackageJSON } from "node:module"
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from "node:os"

export interface Machine {
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly platform: string
  /** How many processes wanted a core when the run began: above 0 the times are noisier. */
  readonly load: number
}

export const describeMachine = (): Machine => ({
  node: process.version,
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
  platform: `${platform()} ${arch()}`,
  load: Math.round((loadavg()[0] ?? 0) * 100) / 100
})

export const readVersions = (packages: ReadonlyArray<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(packages.map((name) => {
    const file = findPackageJSON(name, import.meta.url)
    if (file === undefined) throw new Error(`${name} is not installed`)
    const { version }: { readonly version: string } = JSON.parse(readFileSync(file, "utf8"))
    return [name, version]
  }))
