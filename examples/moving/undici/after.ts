import { NodeRuntime } from "@effect/platform-node"
import { HttpPool } from "@effect-pools/http"
import { Config, Console, Effect, Schema } from "effect"
import { HttpBody, HttpClientResponse } from "effect/http"

class VoiceApi extends HttpPool.Service<VoiceApi>()("app/VoiceApi") {
  static readonly live = this.layerConfig({
    origin: Config.String("ORIGIN"),
    basePath: "/v1",
    maxConnections: 4,
    connectTimeout: "5 seconds",
    headersTimeout: "10 seconds",
    bodyTimeout: "10 seconds",
    idleTimeout: "30 seconds"
  })
}

const Voice = Schema.Struct({ id: Schema.Number, name: Schema.String })
const voice = HttpClientResponse.schemaBodyJson(Voice)
const voices = HttpClientResponse.schemaBodyJson(Schema.Array(Voice))

const program = Effect.gen(function*() {
  const api = yield* VoiceApi
  const all = yield* Effect.flatMap(api.get("/voices", { urlParams: { language: "en" } }), voices)
  for (const { id, name } of all) yield* Console.log(id, name)

  const added = yield* api.post("/voices", { body: HttpBody.jsonUnsafe({ name: "Grace" }) })
  yield* Console.log(added.status, (yield* voice(added)).name)

  // A body that nobody reads is given up, and its connection serves on.
  const missing = yield* api.get("/voices/99")
  yield* Console.log(missing.status)
})

program.pipe(Effect.provide(VoiceApi.live), NodeRuntime.runMain)
