/** A service that uses a pool: it knows the pool's class and nothing of how the pool is made. */
import type { PoolError } from "@effect-pools/core"
import { PostgresPool } from "@effect-pools/postgres"
import { Context, Data, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"

export class PrimaryDb extends PostgresPool.Service<PrimaryDb>()("app/PrimaryDb") {}

export interface User {
  readonly id: number
  readonly email: string
}

export class EmailTaken extends Data.TaggedError("EmailTaken")<{ readonly email: string }> {}

type Failure = SqlError.SqlError | PoolError.PoolError

export class Users extends Context.Service<Users, {
  /** Registers a user and writes the welcome mail into the outbox, both or neither. */
  readonly register: (email: string) => Effect.Effect<User, EmailTaken | Failure>
}>()("app/Users") {
  static readonly layer = Layer.effect(Users, Effect.map(PrimaryDb, (db) => ({ register: register(db) })))
}

const register = (db: PostgresPool.PostgresPool) => (email: string) =>
  db.transaction((sql) =>
    Effect.gen(function*() {
      const [user] = yield* sql<User>`INSERT INTO users (email) VALUES (${email}) RETURNING id, email`
      yield* sql`INSERT INTO outbox (recipient, subject) VALUES (${email}, 'Welcome')`
      return user!
    })
  ).pipe(
    Effect.catchIf(
      (error) => error._tag === "SqlError" && error.reason._tag === "UniqueViolation",
      () => Effect.fail(new EmailTaken({ email }))
    )
  )
