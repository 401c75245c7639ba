/** A PostgreSQL for an example that has none: started for it, and gone with it. */
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Effect, Layer, type Redacted } from "effect"

/** The layer of a pool over a server of its own. */
export const withServer = <A, E>(layer: (url: Redacted.Redacted) => Layer.Layer<A, E>) =>
  Layer.unwrap(Effect.map(EmbeddedPostgres.EmbeddedPostgres, ({ url }) => layer(url))).pipe(
    Layer.provide(EmbeddedPostgres.layer())
  )
