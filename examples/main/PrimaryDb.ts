/** The pool of this program: one class, and its layer over the server that the program starts for itself. */
import { PostgresPool } from "@effect-pools/postgres"
import { EmbeddedPostgres } from "@effect-pools/testing"
import { Effect, Layer } from "effect"

export class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {
  static readonly live = Layer.unwrap(Effect.map(EmbeddedPostgres.EmbeddedPostgres, (server) =>
    this.layer({
      url: server.url,
      minConnections: 4,
      maxConnections: 20,
      statementTimeout: "5 seconds"
    })))
}
