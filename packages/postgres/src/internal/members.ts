/**
 * The members of a PostgreSQL pool beyond lending.
 *
 * A pool that lends by its own `withConnection` has short cuts: a single statement needs no client of its own, and a
 * transaction gives its connection back before the effects of `afterCommit` run. One that was decorated, and a mock, are
 * asked for everything by their `withConnection` and `acquireWith`.
 */
import type { Notification } from "@effect/sql-pg/PgConnection"
import type { PoolError } from "@effect-pools/core/PoolError"
import type { Operations } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import type { PostgresConnection } from "./connectionModel.ts"
import type { PostgresPool, QueryOptions, TransactionOptions } from "./model.ts"
import * as Query from "./query.ts"
import * as Runtime from "./runtime.ts"
import { Costs, type StatementCost } from "./cost/costs.ts"
import { Lane } from "./cost/lane.ts"
import * as Heavy from "./cost/options.ts"
import type { Notice } from "./notices.ts"
import { type PreparedCounts, Statements } from "./statements.ts"
import * as Transaction from "./transaction.ts"

type AnyEffect = Effect.Effect<unknown, unknown, unknown>
type AnyStream = Stream.Stream<unknown, unknown, unknown>
type Ask = (sql: Statement.Constructor) => AnyEffect

const query = (pool: PostgresPool, first: TemplateStringsArray | Ask, ...args: Array<unknown>): AnyEffect =>
  typeof first === "function"
    ? Query.run(pool, first, args[0] as QueryOptions | undefined)
    : Query.run(pool, (sql) => sql(first, ...args), undefined)

const transaction = (
  pool: PostgresPool,
  body: AnyEffect | ((sql: PostgresConnection) => AnyEffect),
  options: TransactionOptions = {}
): AnyEffect => Transaction.run(pool, Effect.isEffect(body) ? () => body : body, options)

/** In a transaction it reads what that sees. */
const stream = (pool: PostgresPool, f: (sql: PostgresConnection) => AnyStream): AnyStream =>
  Stream.unwrap(Effect.withFiber((fiber) => {
    const current = Runtime.runtimes.of(pool)?.kit.currentLease(fiber.context)
    return current === undefined ? Effect.map(pool.acquireWith(), f) : Effect.succeed(f(current.lent))
  }))

/** All listeners of a pool share one connection; those of a mock have one each. */
const listen = (pool: PostgresPool, channel: string): Stream.Stream<Notification, SqlError | PoolError> =>
  Runtime.runtimes.of(pool)?.listen(channel) ?? Stream.unwrap(
    pool.acquireWith({ label: "listen", isLongLived: true }).pipe(
      Effect.flatMap((sql) => sql.listen(channel)),
      Effect.map(Stream.fromQueue)
    )
  )

const notify = (pool: PostgresPool, channel: string, payload: string): AnyEffect =>
  Effect.asVoid(query(pool, (sql) => sql`SELECT pg_notify(${channel}, ${payload})`))

type AskOne = (sql: Statement.Constructor) => Statement.Statement<unknown>

const cost = (pool: PostgresPool, first: TemplateStringsArray | AskOne, ...args: Array<unknown>): AnyEffect => {
  const runtime = Runtime.runtimes.of(pool)
  const unknown: StatementCost = { source: "unknown", p95: undefined, runs: 0, planned: undefined, isHeavy: false }
  if (runtime === undefined) return Effect.succeed(unknown)
  const { bare, kit, sql } = runtime
  const statement = typeof first === "function" ? first(sql) : sql(first, ...args)
  const lane = kit.lane ?? new Lane(new Costs(Heavy.rulesOf({})!), 1)
  return lane.cost(bare, ...statement.compile())
}

const notices = (pool: PostgresPool): Stream.Stream<Notice> =>
  Runtime.runtimes.of(pool)?.kit.schema.notices?.stream ?? Stream.empty

const prepared = (pool: PostgresPool): Effect.Effect<PreparedCounts> =>
  Effect.sync(() => (Runtime.runtimes.of(pool)?.kit.schema.statements ?? new Statements()).counts)

export const operations: Operations<PostgresPool> = {
  methods: { query, transaction, notify, cost },
  effects: { prepared },
  streams: { notices },
  streaming: { stream, listen }
}
