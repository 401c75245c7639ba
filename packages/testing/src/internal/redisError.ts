import * as Data from "effect/Data"

/**
 * No server could be found, installed or started, or one that runs refused a command.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmbeddedRedisError extends Data.TaggedError("EmbeddedRedisError")<{
  readonly step: "install" | "prepare" | "start" | "command" | "cluster" | "sentinel"
  /** The last words of the server or the system. */
  readonly detail: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `embedded Redis, ${this.step}: ${this.detail}`
  }
}
