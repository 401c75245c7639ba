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

const projects = folders.flatMap(({ name, root }): Array<TestProjectInlineConfiguration> => [
  {
    root,
    ssr: { resolve: { conditions } },
    test: {
      name: `${name}:unit`,
      include: ["test/**/*.test.ts"],
      exclude: [integration],
      testTimeout: 10_000,
      sequence: { groupOrder: 1 }
    }
  },
  {
    // Real servers and real time: one file after the other, once the unit tests are through.
    root,
    ssr: { resolve: { conditions } },
    test: {
      name: `${name}:integration`,
      include: [integration],
      testTimeout: 60_000,
      hookTimeout: 120_000,
      fileParallelism: false,
      maxWorkers: 1,
      sequence: { groupOrder: 2 }
    }
  }
])

export default defineConfig({
  test: {
    passWithNoTests: false,
    projects
  }
})
