/**
 * Prints the one line that says how the tests went, `N passed, M failed`, from vitest's JSON report.
 * A file that could not even be loaded counts as one failure. Fails if a test failed or none ran.
 */
import { existsSync, readFileSync } from "node:fs"

interface Report {
  readonly success: boolean
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: ReadonlyArray<{
    readonly status: string
    readonly assertionResults: ReadonlyArray<{ readonly status: string }>
  }>
}

const file = process.argv[2] ?? ""
const report: Report = existsSync(file)
  ? JSON.parse(readFileSync(file, "utf8")) as Report
  : { success: false, numPassedTests: 0, numFailedTests: 0, testResults: [] }

const unloaded = report.testResults.filter(({ assertionResults, status }) =>
  status === "failed" && !assertionResults.some((result) => result.status === "failed")
)
const failed = report.numFailedTests + unloaded.length
process.stdout.write(`${report.numPassedTests} passed, ${failed} failed\n`)
process.exitCode = report.success && failed === 0 && report.numPassedTests > 0 ? 0 : 1
