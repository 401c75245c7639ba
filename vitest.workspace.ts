import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config"

// Packages resolve to their TypeScript sources, so that no build step comes before the tests.
const conditions = ["@effect-pools/source", "module", "node", "development|production"]

// The machine may have another Node in front: the npm scripts put the one of this repository first.
const major = Number(process.versions.node.split(".")[0])
if (major < 24) {
  throw new Error(`The tests run on Node 24 or later, this is ${process.version}: start them with "npm test"`)
}

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const folders = [
  ...readdirSync(at("./packages")).map((name) => ({ name, root: at(`./packages/${name}`) })),
  { name: "examples", root: at("./examples") }
].filter(({ root }) => existsSync(`${root}/test`))

const integration = "test/**/*.integration.test.ts"

// These count what the machine runs and keeps, or bound the time of work that a test beside them would slow down.
const alone: Readonly<Record<string, ReadonlyArray<string>>> = {
  benchmarks: ["processes"],
  core: ["ConnectionPool.blockedLoop", "ConnectionPool.partialFailure"],
  examples: ["voice-terminal"],
  http: ["BlockedLoop"],
  manager: ["Dashboard", "DashboardIncident", "Monitoring"],
  postgres: ["BlockedLoop", "Secrets"],
  testing: ["EmbeddedPostgres", "EmbeddedRedis"],
  websocket: ["BlockedLoop"]
}

const aloneIn = (folder: string) => (alone[folder] ?? []).map((file) => `test/${file}.integration.test.ts`)

// Real servers and real time, once the unit tests are through.
const limits = { testTimeout: 60_000, hookTimeout: 120_000 }

const projects = folders.flatMap(({ name, root }): Array<TestProjectInlineConfiguration> => {
  const common = { root, ssr: { resolve: { conditions } } }
  return [
    {
      ...common,
      test: {
        name: `${name}:unit`,
        include: ["test/**/*.test.ts"],
        exclude: [integration],
        testTimeout: 10_000,
        maxWorkers: 2,
        sequence: { groupOrder: 1 }
      }
    },
    {
      // Three at a time, since most of it is waiting.
      ...common,
      test: {
        ...limits,
        name: `${name}:integration`,
        include: [integration],
        exclude: aloneIn(name),
        maxWorkers: 3,
        sequence: { groupOrder: 2 }
      }
    },
    {
      ...common,
      test: {
        ...limits,
        name: `${name}:integration:alone`,
        include: aloneIn(name),
        maxWorkers: 1,
        sequence: { groupOrder: 3 }
      }
    }
  ].filter(({ test }) => test.include.length > 0)
})

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects
  }
})
