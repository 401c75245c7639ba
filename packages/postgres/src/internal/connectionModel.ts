/**
 * A connection of a PostgreSQL pool as its borrower sees it.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"

/**
 * The view that a borrower is given: the `sql` client of Effect, bound to this one connection.
 *
 * It is a template tag with the helpers, transactions and streams of `SqlClient`, and `json`, `listen` and `notify` of
 * `PgClient`. It ends with the lease: using it afterwards is a defect.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresConnection extends PgClient.PgClient {
  /** The process id of the server's end, as in `pg_stat_activity`. */
  readonly processId: number
}
