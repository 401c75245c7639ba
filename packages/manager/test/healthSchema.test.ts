import { MonitoringApi } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { readFileSync } from "node:fs"

const published = new URL("../../../docs/public/operating/health.schema.json", import.meta.url)

describe("the JSON schema of /health", () => {
  const made = Schema.toJsonSchemaDocument(MonitoringApi.Health)
  const document = { $schema: "https://json-schema.org/draft/2020-12/schema", ...made.schema, $defs: made.definitions }

  it("is published as it is", () => {
    assert.deepStrictEqual(
      JSON.parse(readFileSync(published, "utf8")),
      JSON.parse(JSON.stringify(document)),
      "npm run schema writes it anew"
    )
  })

  it("has the fields of other pools as well", () => {
    assert.includeMembers(Object.keys((document as { properties?: object }).properties ?? {}), [
      "status",
      "healthy",
      "totalConnections",
      "availableConnections",
      "utilizationPercent",
      "avgResponseTimeMs",
      "errorRate",
      "warnings",
      "warningTexts",
      "stats",
      "timestamp"
    ])
  })
})
