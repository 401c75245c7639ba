/**
 * The software bill of materials of one package, as CycloneDX: what it needs at run time, its peers included, in the
 * versions that were tested. `npm sbom` leaves out a peer that is also a development dependency, which all drivers are.
 */
import { readFileSync } from "node:fs"

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly link?: boolean
  readonly resolved?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

interface Component {
  readonly type: "library"
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly licenses?: ReadonlyArray<{ readonly license: { readonly id: string } }>
  readonly hashes?: ReadonlyArray<{ readonly alg: "SHA-512"; readonly content: string }>
}

const lockfile = new URL("../package-lock.json", import.meta.url)

/** Where Node finds `name` when `from` asks for it, as a path of the lock file. */
const resolve = (packages: Record<string, LockedPackage>, from: string, name: string): string | undefined => {
  for (let folder = from;; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")))) {
    const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`
    const found = packages[path]
    if (found !== undefined) return found.link === true ? found.resolved : path
    if (folder === "") return undefined
  }
}

const needs = ({ dependencies, peerDependencies, peerDependenciesMeta }: LockedPackage): ReadonlyArray<string> => [
  ...Object.keys(dependencies ?? {}),
  ...Object.keys(peerDependencies ?? {}).filter((name) => peerDependenciesMeta?.[name]?.optional !== true)
]

const component = (name: string, { integrity, license, version = "" }: LockedPackage): Component => ({
  type: "library",
  name,
  version,
  purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
  ...(license !== undefined && { licenses: [{ license: { id: license } }] }),
  ...(integrity?.startsWith("sha512-") === true && {
    hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex") }]
  })
})

/** The bill of the workspace package in `folder`, such as `packages/http`. */
export const materials = (folder: string): object => {
  const { packages } = JSON.parse(readFileSync(lockfile, "utf8")) as { packages: Record<string, LockedPackage> }
  const manifest = JSON.parse(readFileSync(new URL(`../${folder}/package.json`, import.meta.url), "utf8")) as {
    readonly name: string
    readonly version: string
  }
  const found = new Map<string, Component>()
  const visit = (path: string): void => {
    for (const name of needs(packages[path]!)) {
      const at = resolve(packages, path, name)
      if (at === undefined) throw new Error(`${path} needs ${name}, which package-lock.json does not have`)
      if (found.has(at)) continue
      found.set(at, component(name, packages[at]!))
      visit(at)
    }
  }
  visit(folder)
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: { type: "library", name: manifest.name, version: manifest.version } },
    components: Array.from(found.values()).toSorted((a, b) => a.purl.localeCompare(b.purl, "en"))
  }
}
