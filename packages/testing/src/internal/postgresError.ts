import * as Data from "effect/Data"

/**
 * The server could not be prepared, initialised or started.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmbeddedPostgresError extends Data.TaggedError("EmbeddedPostgresError")<{
  readonly step: "prepare" | "initdb" | "replicate" | "start"
  /** The last words of the server or the system. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `embedded PostgreSQL, ${this.step}: ${this.detail}`
  }
}
