/**
 * One command on the console of PgBouncer, which understands the simple protocol only.
 *
 * The driver logs in and has no such messages, so its socket is taken over: a writer and a reader of a few lines.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgProtocol from "@effect/sql-pg/PgProtocol"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ServerText from "@effect-pools/core/ServerText"
import type { Duplex } from "node:stream"
import { PgBouncerError } from "../../PgBouncerError.ts"
import * as LoginGuard from "../loginGuard.ts"
import * as PgInternals from "../pgInternals.ts"
import type { ConnectionSettings } from "../settings.ts"
import * as Transport from "../transport.ts"

/** A row of an answer: texts by the names of their columns. */
export type Answer = ReadonlyArray<Readonly<Record<string, string | null>>>

export type Settings = Pick<
  ConnectionSettings,
  "host" | "port" | "username" | "password" | "ssl" | "requireAuth" | "driver"
>

/** Runs a command on a connection of its own. */
export const run = (settings: Settings, command: string): Effect.Effect<Answer, PgBouncerError> =>
  Effect.scoped(Effect.flatMap(login(settings, command), (socket) => ask(socket, command)))

const login = Effect.fnUntraced(function*(
  settings: Settings,
  command: string
): Effect.fn.Return<Duplex, PgBouncerError, Scope.Scope> {
  const failed = (cause: unknown) => {
    const { reason } = cause as { readonly reason?: { readonly cause?: unknown } }
    const why = reason?.cause ?? cause
    const message = `no console at ${settings.host}:${settings.port}: ${ServerText.messageOf(why, "it failed")}`
    // An error of PgBouncer's own has a code.
    const isAnswer = typeof (why as { readonly severity?: unknown } | null)?.severity === "string"
    return new PgBouncerError({ command, message, isAnswer })
  }
  const password = Effect.isEffect(settings.password)
    ? yield* Effect.mapError(settings.password, failed)
    : settings.password
  const transport = yield* Effect.acquireRelease(
    Effect.mapError(Transport.open(settings), failed),
    (socket) => Effect.sync(() => void socket.destroy())
  )
  const isPrivate = settings.ssl !== false || Transport.isUnixSocket(settings.host)
  const guard = LoginGuard.watch(transport, { requireAuth: settings.requireAuth, isPrivate })
  const connection = yield* Effect.mapError(
    PgConnection.make({
      stream: () => transport,
      database: "pgbouncer",
      username: settings.username,
      password: password as Redacted.Redacted | undefined,
      ssl: false,
      prepare: false
    }),
    (cause) => failed(guard.refusal ?? cause)
  )
  const { socket } = PgInternals.find(connection)
  if (socket === undefined) return yield* failed("the driver's socket was not found")
  socket.removeAllListeners("data")
  return socket
})

const ask = (socket: Duplex, command: string): Effect.Effect<Answer, PgBouncerError> =>
  Effect.callback((resume) => {
    const parser = PgProtocol.makeParser()
    const reader = new Reader(command)
    const end = (exit: Exit.Exit<Answer, PgBouncerError>): void => resume(exit)
    const broken = (why: string) => () =>
      end(Exit.fail(new PgBouncerError({ command, message: `the console ${why}`, isAnswer: false })))
    socket.on("data", (chunk: Uint8Array) => {
      const messages = Result.try(() => parser.push(chunk))
      if (Result.isFailure(messages)) return broken("sent what can't be read")()
      for (const message of messages.success) {
        if (reader.take(message)) end(reader.exit)
      }
    })
    socket.once("close", broken("hung up"))
    socket.write(query(command))
  })

const query = (text: string): Uint8Array => {
  const body = Buffer.from(`${text}\0`, "utf8")
  const head = Buffer.alloc(5)
  head.write("Q", 0)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

class Reader {
  private readonly command: string
  private readonly rows: Array<Record<string, string | null>> = []
  private columns: ReadonlyArray<string> = []
  private said: string | undefined = undefined

  constructor(command: string) {
    this.command = command
  }

  get exit(): Exit.Exit<Answer, PgBouncerError> {
    return this.said === undefined
      ? Exit.succeed(this.rows)
      : Exit.fail(
        new PgBouncerError({ command: this.command, message: ServerText.clean(this.said), isAnswer: true })
      )
  }

  /** Whether that was the end of the answer. */
  take(message: PgProtocol.BackendMessage): boolean {
    switch (message._tag) {
      case "RowDescription":
        this.columns = message.fields.map(({ name }) => name)
        return false
      case "DataRow":
        this.rows.push(
          Object.fromEntries(message.values.map((value, at) => [this.columns[at] ?? String(at), textOf(value)]))
        )
        return false
      case "ErrorResponse":
        this.said = message.fields.message ?? "it refused the command"
        return false
      default:
        return message._tag === "ReadyForQuery"
    }
  }
}

const textOf = (value: Uint8Array | null): string | null => value === null ? null : Buffer.from(value).toString("utf8")
