/** Writes the JSON schema of `GET /health` where the site publishes it. `npm run schema`. */
import { MonitoringApi } from "@effect-pools/manager"
import { Schema } from "effect"
import { writeFileSync } from "node:fs"

const { definitions, schema } = Schema.toJsonSchemaDocument(MonitoringApi.Health)
const document = { $schema: "https://json-schema.org/draft/2020-12/schema", ...schema, $defs: definitions }
const file = new URL("../docs/public/operating/health.schema.json", import.meta.url)
writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`)
