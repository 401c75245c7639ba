/**
 * Asks the registry for known vulnerabilities of what users install with the packages. `npm run audit`.
 *
 * A registry that answers no such question is no reason to fail: one line says that nothing was checked.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

interface Report {
  readonly error?: { readonly summary?: string; readonly code?: string }
  readonly message?: string
  readonly metadata?: { readonly vulnerabilities: Readonly<Record<string, number>> }
}

const { stderr, stdout } = spawnSync("npm", ["audit", "--omit=dev", "--json"], {
  cwd: fileURLToPath(new URL("../", import.meta.url)),
  encoding: "utf8"
})
const start = stdout.indexOf("{")
const report = (start < 0 ? {} : JSON.parse(stdout.slice(start))) as Report

if (report.metadata === undefined) {
  // The address of the registry is nobody's business.
  const why = (report.message ?? report.error?.summary ?? (stderr.trim().split("\n")[0] || "no answer"))
    .replaceAll(/ - \S+ https?:\S+/g, "")
  process.stdout.write(`Audit skipped, the registry answers no advisories: ${why}\n`)
} else {
  const { total = 0, ...levels } = report.metadata.vulnerabilities
  const found = Object.entries(levels).filter(([, count]) => count > 0).map(([level, count]) => `${count} ${level}`)
  process.stdout.write(`${total} known vulnerabilities${found.length === 0 ? "" : `: ${found.join(", ")}`}\n`)
  process.exitCode = total === 0 ? 0 : 1
}
