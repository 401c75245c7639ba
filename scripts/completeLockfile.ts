/**
 * Completes package-lock.json: npm leaves out the binaries for other platforms when it can not look them up, and
 * then `npm ci` refuses the file it wrote itself ("Missing: ... from lock file"). An entry without `integrity` installs
 * whatever the registry answers, so each that lacks it is asked for.
 * Run it after every `npm install` that changed a dependency: `npm run lockfile`.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly cpu?: ReadonlyArray<string>
  readonly dev?: boolean
  readonly libc?: ReadonlyArray<string>
  readonly optional?: boolean
  readonly os?: ReadonlyArray<string>
  readonly peer?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Lock {
  packages: Record<string, LockedPackage>
}

const file = new URL("../package-lock.json", import.meta.url)
const lock = JSON.parse(readFileSync(file, "utf8")) as Lock

const systems: Readonly<Record<string, string>> = { windows: "win32" }
const kernels = new Set(["android", "darwin", "freebsd", "linux", "openharmony", "win32", "windows"])
const processors = new Set(["arm64", "arm", "x64", "ia32", "ppc64", "s390x", "riscv64", "loong64"])

/** Reads what a platform package is for from its name: `@scope/binding-linux-arm64-musl`. */
const platformOf = (
  name: string
): Required<Pick<LockedPackage, "cpu" | "os">> & Pick<LockedPackage, "libc"> | undefined => {
  const words = name.replace(/^@[^/]+\//, "").split("-")
  const os = words.find((word) => kernels.has(word))
  const cpu = words.find((word) => processors.has(word))
  if (os === undefined || cpu === undefined) return undefined
  const libc = words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.some((word) => word.startsWith("gnu") || word === "glibc")
    ? "glibc"
    : undefined
  return { os: [systems[os] ?? os], cpu: [cpu], ...(os === "linux" && libc !== undefined && { libc: [libc] }) }
}

const added: Array<string> = []
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    const platform = platformOf(name)
    // A range can not be locked without asking the registry; the binaries are all pinned by their parents.
    if (path in lock.packages || platform === undefined || !/^\d/.test(version)) continue
    lock.packages[path] = {
      version,
      cpu: platform.cpu,
      ...(parent.dev === true && { dev: true }),
      ...(platform.libc !== undefined && { libc: platform.libc }),
      optional: true,
      os: platform.os,
      ...(parent.peer === true && { peer: true })
    }
    added.push(`${name}@${version}`)
  }
}

/** The hash that the registry publishes for one version, or `undefined` where the registry does not have the package. */
const integrityOf = (name: string, version: string): string | undefined => {
  const { status, stderr, stdout } = spawnSync("npm", ["view", `${name}@${version}`, "dist.integrity"], {
    encoding: "utf8"
  })
  if (status === 0 && stdout.startsWith("sha512-")) return stdout.trim()
  if (stderr.includes("E404")) return undefined
  throw new Error(`the registry gives no integrity for ${name}@${version}: ${stderr}`)
}

let hashed = 0
let unknown = 0
for (const [path, entry] of Object.entries(lock.packages)) {
  if (!path.includes("node_modules/") || entry.link === true || entry.integrity !== undefined) continue
  const { version, ...rest } = entry
  if (version === undefined) throw new Error(`${path} has no version in package-lock.json`)
  const integrity = integrityOf(path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length), version)
  if (integrity === undefined) unknown++
  else {
    lock.packages[path] = { version, integrity, ...rest }
    hashed++
  }
}

const byPath = ([a]: [string, unknown], [b]: [string, unknown]): number => a.localeCompare(b, "en")
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(byPath))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(
  `package-lock.json: ${added.length} platform packages and ${hashed} hashes added, ${unknown} hashes unknown here\n`
)
