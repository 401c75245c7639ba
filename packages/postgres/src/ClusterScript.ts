/**
 * Answers the statements of a `PostgresCluster` without servers, for tests: replicas are as late as the test says, servers
 * fail and are promoted when it says so.
 *
 * ```ts
 * import { ClusterScript, PostgresCluster } from "@effect-pools/postgres"
 * import { Effect } from "effect"
 *
 * class Db extends PostgresCluster.Service<Db>()("app/Db") {}
 *
 * const script = ClusterScript.make((statement) => statement.startsWith("SELECT") ? [{ id: 1 }] : [], { replicas: 2 })
 *
 * const test = Effect.gen(function*() {
 *   script.lag(1, "2 seconds")
 *   yield* Db.query`INSERT INTO users VALUES (1)`
 *   yield* Db.read`SELECT id FROM users`
 *   // script.statements.at(-1)?.server: 2, which has the insert already
 * }).pipe(Effect.provide(Db.layerTest(script)))
 * ```
 *
 * Servers are numbered: 0 is the primary at first, the replicas come after it. A standby refuses writes (25006), as does
 * whatever `read` opens on the primary.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { Answer, Recorded } from "./PostgresScript.ts"

/**
 * One statement that was run, and the number of the server that ran it.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordedOnServer extends Recorded {
  readonly server: number
}

/**
 * Answers a statement that a server runs. One that is answered with `undefined` is a defect.
 *
 * @category models
 * @since 0.1.0
 */
export type AnswerOnServer = (
  statement: string,
  params: ReadonlyArray<unknown>,
  server: number
) => Answer | undefined

/**
 * A script for the servers of a cluster, and what they are told to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClusterScript {
  /** Every statement so far, transaction control included. */
  readonly statements: ReadonlyArray<RecordedOnServer>
  /** A replica applies each change only when it is so old, from now on. What it has applied it keeps. */
  readonly lag: (server: number, lag: Duration.Input) => void
  /** A server can't be reached any more. */
  readonly fail: (server: number) => void
  /** A server that has failed can be reached again, as the standby of whoever is the primary. */
  readonly revive: (server: number) => void
  /** A replica becomes the primary. The one before it goes on being one, for itself, unless it has failed. */
  readonly promote: (server: number) => void
  /** For the pool: the servers as they are just now. */
  readonly servers: ReadonlyArray<ScriptedServer>
  readonly answer: AnswerOnServer
  readonly record: (statement: RecordedOnServer) => void
}

/**
 * One server of a script.
 *
 * @category models
 * @since 0.1.0
 */
export interface ScriptedServer {
  isUp: boolean
  isStandby: boolean
  timeline: number
  lag: number
  /** How far it has come. */
  lsn: number
}

/**
 * Makes a script of a primary and its replicas, of which there is one unless the options say otherwise.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  answer: AnswerOnServer,
  options: { readonly replicas?: number | undefined } = {}
): ClusterScript => {
  const statements: Array<RecordedOnServer> = []
  const servers = Array.from({ length: (options.replicas ?? 1) + 1 }, (_, index): ScriptedServer => ({
    isUp: true,
    isStandby: index > 0,
    timeline: 1,
    lag: 0,
    lsn: 1_000
  }))
  const serverOf = (index: number): ScriptedServer => {
    const server = servers[index]
    if (server === undefined) throw new Error(`the script has the servers 0 to ${servers.length - 1}, not ${index}`)
    return server
  }
  return {
    statements,
    servers,
    answer,
    record: (statement) => void statements.push(statement),
    lag: (index, lag) => {
      serverOf(index).lag = Duration.toMillis(Duration.fromInputUnsafe(lag))
    },
    fail: (index) => {
      serverOf(index).isUp = false
    },
    revive: (index) => {
      Object.assign(serverOf(index), { isUp: true, isStandby: true })
    },
    promote: (index) => {
      Object.assign(serverOf(index), {
        isStandby: false,
        timeline: Math.max(...servers.map(({ timeline }) => timeline)) + 1
      })
    }
  }
}
