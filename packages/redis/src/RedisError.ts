/**
 * Why a command, or the opening of a connection, failed.
 *
 * One error, `RedisError`, with a tagged `reason`: catch it whole with `Effect.catchTag("RedisError", ...)` or one reason
 * with `Effect.catchReason("RedisError", "CommandFailed", ...)`. It names the command and never an argument of it.
 *
 * @since 0.1.0
 */
import { at } from "@effect-pools/core/Describe"
import * as Data from "effect/Data"

/**
 * The server answered with an error.
 *
 * @category reasons
 * @since 0.1.0
 */
export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  /** The first word of the server's answer: `"WRONGTYPE"`, `"NOPERM"`, `"OOM"`, or just `"ERR"`. */
  readonly code: string
  /** The rest of it, without the command's arguments. */
  readonly description: string
}> {
  get isRetryable(): boolean {
    return transient.has(this.code)
  }
  override get message(): string {
    return `${this.code} ${this.description}`
  }
}

/** The codes that name a state of the server, and not a fault of the command. */
const transient: ReadonlySet<string> = new Set([
  "TRYAGAIN",
  "CLUSTERDOWN",
  "MASTERDOWN",
  "BUSY",
  "NOREPLICAS",
  // The server was demoted while the command waited, and gave it nothing.
  "UNBLOCKED",
  // A transaction can't be sent on piece by piece.
  "MOVED",
  "ASK"
])

/**
 * The server is a replica, which takes no writes: the primary was demoted. The connection is retired.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ReadOnly extends Data.TaggedError("ReadOnly")<{}> {
  readonly isRetryable = true
  override get message(): string {
    return "the server has become a read-only replica"
  }
}

/**
 * The server is still reading its data into memory.
 *
 * @category reasons
 * @since 0.1.0
 */
export class Loading extends Data.TaggedError("Loading")<{}> {
  readonly isRetryable = true
  override get message(): string {
    return "the server is loading its data"
  }
}

/**
 * The connection ended before the answer came.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{
  /** Whether the command was sent, so that nobody knows whether the server has carried it out. */
  readonly wasSent: boolean
  /** The cause of its end. */
  readonly description: string
  /** Whether the same call may be made again: not where it may have been carried out, and a second time is one too many. */
  readonly isRetryable: boolean
}> {
  override get message(): string {
    return this.wasSent
      ? `the connection ended before the answer came: ${this.description}`
      : `the connection had ended before the command was sent: ${this.description}`
  }
}

/**
 * No answer came within `commandTimeout`. The connection is given up; the server may still carry the command out.
 *
 * @category reasons
 * @since 0.1.0
 */
export class CommandTimeout extends Data.TaggedError("CommandTimeout")<{
  /** Milliseconds. */
  readonly timeout: number
  /** Whether the same call may be made again: not where it may have been carried out, and a second time is one too many. */
  readonly isRetryable: boolean
}> {
  override get message(): string {
    return `no answer came within ${this.timeout} ms (commandTimeout)`
  }
}

/**
 * A watched key was changed by somebody else, so that the transaction was not carried out.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TransactionAborted extends Data.TaggedError("TransactionAborted")<{}> {
  readonly isRetryable = true
  override get message(): string {
    return "a watched key was changed, and nothing was carried out"
  }
}

/**
 * The cluster sent the command from node to node more often than `cluster.maxRedirections`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class TooManyRedirections extends Data.TaggedError("TooManyRedirections")<{
  readonly redirections: number
}> {
  readonly isRetryable = true
  override get message(): string {
    return `the cluster redirected it ${this.redirections} times (maxRedirections)`
  }
}

/**
 * The command was refused before anything was sent: it lacks something, or has an argument that would arrive as another
 * value.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidCommand extends Data.TaggedError("InvalidCommand")<{
  /** Completes the sentence that begins with the command's name. */
  readonly rule: string
}> {
  readonly isRetryable = false
  override get message(): string {
    return `it was not sent: it ${this.rule}`
  }
}

/**
 * The answer is an integer that no number holds exactly. The command was carried out. `RedisCommand.bigint` reads such
 * answers, and `incrByBigInt` and its like are commands that do.
 *
 * @category reasons
 * @since 0.1.0
 */
export class IntegerTooLarge extends Data.TaggedError("IntegerTooLarge")<{
  /** The integer, as `BigInt` takes it. */
  readonly value: string
}> {
  readonly isRetryable = false
  override get message(): string {
    return `it was carried out, and answered ${this.value}, which no number holds exactly (RedisCommand.bigint)`
  }
}

/**
 * The answer is not what the command's answer must look like.
 *
 * @category reasons
 * @since 0.1.0
 */
export class UnexpectedReply extends Data.TaggedError("UnexpectedReply")<{
  readonly expected: string
}> {
  readonly isRetryable = false
  override get message(): string {
    return `the answer is not ${this.expected}`
  }
}

/**
 * A connection could not be opened. It is the `cause` of the pool's `ConnectFailed`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class DialFailed extends Data.TaggedError("DialFailed")<{
  /** Where to, as host and port. */
  readonly address: string
  readonly description: string
  /** The first word of the server's answer, or the code of the socket's error, if there was one. */
  readonly code: string | undefined
  /** Whether the same dial may succeed later. If not, the pool ends its round of attempts at once. */
  readonly isRetryable: boolean
}> {
  override get message(): string {
    return at(this.address, this.description)
  }
  /** Why the server turned the dial away, where it says so: who we are, or that it has no room for one more. */
  get refusal(): "credentials" | "capacity" | undefined {
    if (this.code === "WRONGPASS" || this.code === "NOAUTH") return "credentials"
    if (this.code === "ERR" && /AUTH|password/i.test(this.description)) return "credentials"
    return this.description.includes("max number of clients") ? "capacity" : undefined
  }
}

/**
 * Every reason of a `RedisError`.
 *
 * @category reasons
 * @since 0.1.0
 */
export type RedisErrorReason =
  | CommandFailed
  | ReadOnly
  | Loading
  | ConnectionLost
  | CommandTimeout
  | TransactionAborted
  | TooManyRedirections
  | InvalidCommand
  | IntegerTooLarge
  | UnexpectedReply
  | DialFailed

/**
 * A command failed, or a connection could not be opened, for the `reason` given.
 *
 * @category errors
 * @since 0.1.0
 */
export class RedisError extends Data.TaggedError("RedisError")<{
  /** The command's name: `"GET"`. Never an argument. */
  readonly command: string
  readonly reason: RedisErrorReason
}> {
  override get message(): string {
    // A dial is no command, and whoever tells of one has said that it was to connect.
    return this.reason._tag === "DialFailed" ? this.reason.message : `${this.command}: ${this.reason.message}`
  }
  /** Whether the same call may succeed later. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }
  /** The reason why the server turned a dial away, where it says so. */
  get refusal(): "credentials" | "capacity" | undefined {
    return this.reason._tag === "DialFailed" ? this.reason.refusal : undefined
  }
}
