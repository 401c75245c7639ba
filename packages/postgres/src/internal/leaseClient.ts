/**
 * The SQL client that a borrower is given, bound to one lease.
 *
 * One is made for each lease whose borrower gets to see one, since a client kept too long must not reach the next lease
 * of the same connection. It is a template tag, and so a function; its members are getters on one shared prototype, so
 * that making it costs little.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type { Acquirer, Borrower } from "effect/sql/SqlConnection"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import type { PostgresConnection } from "./connectionModel.ts"
import type { Dialect, Kit } from "./kit.ts"
import type { LentConnection } from "./lent.ts"
import * as Untraced from "./untraced.ts"

const bindingKey = Symbol("@effect-pools/postgres/binding")

/** The one lease a client is bound to, and how its statements reach it. */
interface Binding {
  readonly lease: LentConnection
  readonly acquirer: Acquirer
  readonly borrower: Borrower
}

/** The lease of a client, or of whatever somebody takes for one. */
export const leaseOf = (lent: PostgresConnection): LentConnection | undefined =>
  (bindingOf(lent) as Binding | undefined)?.lease

const bindingOf = (lent: PostgresConnection): Binding =>
  (lent as unknown as { readonly [bindingKey]: Binding })[bindingKey]

/** Makes the clients of a pool's leases. */
export const make = (kit: Kit): (lease: LentConnection) => PostgresConnection => {
  const view = (binding: Binding, dialect: Dialect, prototype: object): PostgresConnection => {
    const sql = (strings: unknown, ...args: Array<unknown>): unknown =>
      typeof strings === "string"
        ? Statement.identifier(strings)
        : statement(kit, binding, dialect, strings as TemplateStringsArray, args)
    Object.setPrototypeOf(sql, prototype)
    Object.assign(sql, { [bindingKey]: binding })
    return sql as unknown as PostgresConnection
  }
  const plain = prototypeOf(kit, kit.plain, (lent) => lent)
  const transformed = prototypeOf(
    kit,
    kit.transformed,
    (lent) => kit.transformed.transformRows === undefined ? lent : view(bindingOf(lent), kit.plain, plain)
  )
  return (lease) =>
    view({ lease, acquirer: Effect.succeed(lease), borrower: (f) => f(lease) }, kit.transformed, transformed)
}

const statement = (
  kit: Kit,
  { acquirer, borrower }: Binding,
  { compiler, transformRows }: Dialect,
  strings: TemplateStringsArray,
  args: Array<unknown>
): Statement.Statement<any> =>
  Untraced.of(Statement.statement(acquirer, compiler, strings, args, kit.spanAttributes, transformRows, borrower))

const emptyTemplate: TemplateStringsArray = Object.assign(["", ""], { raw: ["", ""] })

type Getters = { readonly [K in keyof PostgresConnection]?: (lent: PostgresConnection) => PostgresConnection[K] }

const prototypeOf = (
  kit: Kit,
  dialect: Dialect,
  withoutTransforms: (lent: PostgresConnection) => PostgresConnection
): object => {
  const getters: Getters = {
    safe: (lent) => lent,
    withoutTransforms: (lent) => () => withoutTransforms(lent),
    unsafe: (lent) => (sql, params) =>
      statement(kit, bindingOf(lent), dialect, emptyTemplate, [Statement.fragment([Statement.literal(sql, params)])]),
    reserve: (lent) => bindingOf(lent).acquirer,
    withTransaction: (lent) => (effect) => withTransaction(kit, bindingOf(lent), effect),
    listen: (lent) => (channel) => bindingOf(lent).lease.listen(channel),
    notify: (lent) => (channel, payload) => Effect.asVoid(lent`SELECT pg_notify(${channel}, ${payload})`),
    processId: (lent) => bindingOf(lent).lease.session.own.processId
  }
  const prototype = Object.create(Function.prototype)
  Object.assign(prototype, kit.client, extras(kit))
  for (const [name, get] of Object.entries(getters)) {
    Object.defineProperty(prototype, name, {
      get(this: PostgresConnection) {
        return (get as (lent: PostgresConnection) => unknown)(this)
      }
    })
  }
  return prototype
}

/** The transaction is a new one unless the fiber is in one of this very connection: then it is a savepoint. */
const withTransaction = <A, E, R>(
  kit: Kit,
  { acquirer, lease }: Binding,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.withFiber((fiber) => {
    const transaction = kit.transact(acquirer, effect)
    return kit.currentLease(fiber.context) === lease
      ? transaction
      : Effect.updateContext(transaction, kit.outsideTransaction<R>)
  })

/** Runs an effect in a transaction of its own on a lease that the fiber is in no transaction of. */
export const alone = <A, E, R>(
  kit: Kit,
  lease: LentConnection,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.provideService(
    Effect.updateContext(kit.transact(Effect.succeed(lease), effect), kit.outsideTransaction<R>),
    SqlClient.BeginTransaction,
    undefined
  )

const PgJson = Statement.custom<PgClient.PgCustom>("PgJson")

/** The members that make a `SqlClient` a `PgClient`. In its `config` the password is redacted, and certificates are left out. */
export const extras = (kit: Kit): Pick<PgClient.PgClient, typeof PgClient.TypeId | "config" | "json"> => ({
  [PgClient.TypeId]: PgClient.TypeId,
  config: {
    host: kit.settings.host,
    port: kit.settings.port,
    database: kit.settings.database,
    username: kit.settings.username,
    password: Effect.isEffect(kit.settings.password) ? Effect.orDie(kit.settings.password) : kit.settings.password,
    ssl: kit.settings.ssl !== false,
    applicationName: kit.settings.applicationName
  },
  json: (value) => Statement.fragment([PgJson(value)])
})
