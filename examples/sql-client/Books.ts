/** A service that knows `SqlClient` and no pool. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

interface Book {
  readonly title: string
  readonly year: number
}

export class Books extends Context.Service<Books, {
  readonly add: (title: string, year: number) => Effect.Effect<void, SqlError.SqlError>
  readonly before: (year: number) => Effect.Effect<ReadonlyArray<Book>, SqlError.SqlError>
}>()("app/Books") {
  static readonly layer = Layer.effect(
    Books,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE book (title text, year int)`
      return {
        add: (title, year) => Effect.asVoid(sql`INSERT INTO book ${sql.insert({ title, year })}`),
        before: (year) => sql<Book>`SELECT title, year FROM book WHERE year < ${year}`
      }
    })
  )
}
