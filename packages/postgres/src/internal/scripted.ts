/**
 * A pool whose connections are answered by a script.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import type { BackendMessage, TransactionStatus } from "@effect/sql-pg/PgProtocol"
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { Connector, Signals } from "@effect-pools/core/Connector"
import type { PostgresOptions } from "../PostgresConfig.ts"
import * as PostgresScript from "../PostgresScript.ts"
import { care, lending } from "./connector.ts"
import type { Kit } from "./kit.ts"
import type { LentConnection } from "./lent.ts"
import * as Options from "./options.ts"
import * as Runtime from "./runtime.ts"
import { Session } from "./session.ts"
import * as Verdict from "./verdict.ts"

export const make = (
  id: string,
  script: PostgresScript.Script | PostgresScript.ScriptInput,
  options: Partial<PostgresOptions>
): Effect.Effect<Runtime.Pool, PoolError | InvalidOption, Scope.Scope | Reactivity.Reactivity> =>
  Effect.flatMap(
    Effect.fromResult(Options.check({ database: "scripted", ...PoolService.quiet, ...options }, id)),
    ({ pool, settings }) => {
      const server = makeServer(
        typeof script === "object" && "statements" in script ? script : PostgresScript.make(script)
      )
      return Runtime.makeWith(id, settings, pool, (kit) => connectorOf(server, kit))
    }
  )

/** The connector of a pool whose server is a script. */
export const connectorOf = (server: Server, kit: Kit): Connector<Session, LentConnection> => ({
  connect: (signals) => Effect.suspend(() => server.connect(signals)),
  ...lending(kit),
  ...care,
  validate: () => Effect.void
})

type Listeners = Set<{ readonly channel: string; readonly queue: Queue.Queue<PgConnection.Notification, SqlError> }>

interface Server {
  readonly connect: (signals: Signals) => Effect.Effect<Session, unknown>
}

export const makeServer = (script: PostgresScript.Script): Server => {
  const listeners: Listeners = new Set()
  let connections = 0
  return {
    connect: (signals) =>
      Effect.sync(() => {
        let observer: (message: BackendMessage<unknown>) => void = () => {}
        const connection = ++connections
        const backend = new Backend(script, connection, listeners, (message) => observer(message))
        const session = new Session(
          connectionOf(backend, connection, listeners),
          {
            deadError: undefined,
            onRetire: undefined,
            observe: (given) => (observer = given),
            cancel: undefined,
            statements: undefined,
            socket: undefined
          },
          {
            address: "scripted",
            expectsPrimary: false,
            prepares: true,
            alwaysResets: false,
            isPooled: false,
            isShareable: false,
            schema: { changes: 0 },
            onOperation: signals.onOperation
          }
        )
        backend.ready("I")
        return session
      })
  }
}

/** The server's end of one connection: it keeps the state of the transaction. */
class Backend {
  private status: TransactionStatus = "I"
  private isReadOnly = false
  private readonly script: PostgresScript.Script
  private readonly connection: number
  private readonly listeners: Listeners
  private readonly send: (message: BackendMessage<unknown>) => void

  constructor(
    script: PostgresScript.Script,
    connection: number,
    listeners: Listeners,
    send: (message: BackendMessage<unknown>) => void
  ) {
    this.script = script
    this.connection = connection
    this.listeners = listeners
    this.send = send
  }

  ready(status: TransactionStatus): void {
    this.status = status
    this.send({ _tag: "ReadyForQuery", status })
  }

  run(text: string, params: ReadonlyArray<unknown>): Effect.Effect<PgConnection.Result, SqlError> {
    return Effect.suspend(() => {
      const statement = { connection: this.connection, text, params }
      this.script.record(statement)
      const control = /^(BEGIN|COMMIT|ROLLBACK TO|ROLLBACK|SAVEPOINT|RELEASE)\b/.exec(text)?.[1]
      if (control === "BEGIN") this.isReadOnly = text.includes("READ ONLY")
      if (control !== undefined) return Effect.succeed(this.control(control))
      if (this.status === "E") return Effect.fail(PostgresScript.failure("25P02"))
      if (this.status === "T" && this.isReadOnly && Verdict.of(text).mayWrite) {
        this.ready("E")
        return Effect.fail(PostgresScript.failure("25006"))
      }
      if (text === "" || cleaning.test(text)) return Effect.succeed(this.complete(text, []))
      if (text.startsWith("SELECT pg_notify(")) this.notify(params)
      const answer = text.startsWith("SELECT pg_notify(") ? [] : this.script.answer(statement)
      return this.settle(
        text,
        isSqlError(answer) ? Effect.fail(answer) : Effect.isEffect(answer) ? answer : Effect.succeed(answer)
      )
    })
  }

  private settle(
    text: string,
    answer: Effect.Effect<ReadonlyArray<object>, SqlError>
  ): Effect.Effect<PgConnection.Result, SqlError> {
    return answer.pipe(
      Effect.map((rows) => this.complete(text, rows)),
      Effect.onError(() => Effect.sync(() => this.ready(this.status === "I" ? "I" : "E")))
    )
  }

  private control(word: string): PgConnection.Result {
    const wasAborted = this.status === "E"
    const command = word === "COMMIT" && wasAborted ? "ROLLBACK" : word.replace(" TO", "")
    this.ready(word === "COMMIT" || word === "ROLLBACK" ? "I" : "T")
    return { command, rowCount: 0, oid: null, rows: [], fields: [] }
  }

  private complete(text: string, rows: ReadonlyArray<object>): PgConnection.Result {
    const command = /^\s*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? ""
    this.send({ _tag: "CommandComplete", commandTag: command })
    this.ready(this.status)
    const fields = Object.keys(rows[0] ?? {}).map((name) => ({ name, dataTypeId: 0 }))
    return { command, rowCount: rows.length, oid: null, rows: rows as PgConnection.Result["rows"], fields }
  }

  private notify([channel, payload]: ReadonlyArray<unknown>): void {
    for (const listener of this.listeners) {
      if (listener.channel !== channel) continue
      Queue.offerUnsafe(listener.queue, {
        processId: this.connection,
        channel: String(channel),
        payload: String(payload)
      })
    }
  }
}

/** The statements by which the pool itself cleans a session. */
const cleaning =
  /^(RESET ALL|UNLISTEN \*|CLOSE ALL|DISCARD \w+|SELECT pg_advisory_unlock_all\(\)|SET SESSION AUTHORIZATION DEFAULT)$/

const connectionOf = (backend: Backend, processId: number, listeners: Listeners): PgConnection.PgConnection => {
  const self: PgConnection.PgConnection = {
    [PgConnection.TypeId]: PgConnection.TypeId,
    config: {},
    processId,
    pin: Effect.suspend(() => Effect.succeed(self)),
    query: (text, params = []) => backend.run(text, params),
    queryValues: (text, params = []) =>
      Effect.map(backend.run(text, params), ({ rows }) => rows.map((row) => Object.values(row))),
    stream: (text, params = []) =>
      Stream.unwrap(Effect.map(backend.run(text, params), ({ rows }) => Stream.fromIterable(rows))),
    listen: (channel) =>
      Effect.acquireRelease(
        Effect.map(Queue.unbounded<PgConnection.Notification, SqlError>(), (queue) => {
          const listener = { channel, queue }
          listeners.add(listener)
          return listener
        }),
        (listener) => {
          listeners.delete(listener)
          return Queue.shutdown(listener.queue)
        }
      ).pipe(Effect.map(({ queue }) => queue)),
    interrupt: Effect.void
  }
  return self
}
