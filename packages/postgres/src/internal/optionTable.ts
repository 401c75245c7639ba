/**
 * The options that a PostgreSQL pool adds to those of every pool: the rule of each, its default, and what users should know
 * of it. The comments of `PostgresOptions` are made of this table (`npm run options`), and so are the pages about them.
 */
import * as OptionRules from "@effect-pools/core/OptionRules"
import type { PostgresOptions, SessionReset, SessionRole } from "../PostgresConfig.ts"
import { authMethods, isAuthMethod } from "./auth.ts"
import * as Heavy from "./cost/options.ts"
import * as Pooler from "./pooler/options.ts"
import { prewarmTable } from "./prewarm.ts"

/** The options that are not the pool's. */
export type Own = OptionRules.Own<PostgresOptions>

/** Those with a default of their own; durations are in milliseconds. */
export interface Defaults {
  readonly host: string
  readonly port: number
  readonly ssl: boolean
  readonly role: SessionRole
  readonly sessionReset: SessionReset
  readonly sharing: number
  readonly keepAlive: number
  readonly preparedStatementCacheSize: number
  readonly maxMessageSize: number
  readonly transformJson: boolean
}

const isSetting = (value: unknown): boolean => typeof value === "string" && !value.includes("\0")

export const optionTable: OptionRules.OwnTable<Own, Defaults> = {
  url: OptionRules.option(OptionRules.secret, {
    does: "`postgres://user:password@host:port/database`, with the parameters `sslmode` (`disable`, `require`, " +
      "`verify-ca`, `verify-full`), `sslrootcert`, `sslcert`, `sslkey`, `sslpassword`, `application_name`, " +
      "`connect_timeout`, `options`, `target_session_attrs`, `require_auth`, `keepalives_idle`, `host`, `port`, " +
      "`user`, `password` and `dbname`, and those of libpq that ask for nothing else than what is done. What " +
      "libpq has more is refused by its name. A certificate is verified whichever `sslmode` asks for TLS. Special " +
      "characters in its parts must be percent-encoded. The password may be left out and given by `password`."
  }),
  host: OptionRules.option(OptionRules.text, {
    does: "The server's name or address. A path names the directory of a Unix socket.",
    default: "localhost"
  }),
  port: OptionRules.option(OptionRules.count(1, 65_535), {
    does: "The port that the server listens on.",
    default: 5432
  }),
  database: OptionRules.option(OptionRules.text, {
    does: "The database.",
    defaults: "Default: the name of the user."
  }),
  username: OptionRules.option(OptionRules.text, {
    does: "The user that logs in.",
    defaults:
      "Default: the user of the operating system, as `USER` or `USERNAME` tells; without either it must be given."
  }),
  password: OptionRules.option(OptionRules.secretOrEffect, {
    does: "The password, or an effect that yields the one of the moment. The effect is run for each dial, so that a " +
      "password that rotates needs no restart."
  }),
  ssl: OptionRules.option({
    expects: "true, false or options of node:tls",
    is: (value) => OptionRules.flag.is(value) || OptionRules.object.is(value)
  }, {
    does: "With `true` the connection is encrypted and the server's certificate verified, or refused: there is no " +
      "fall-back to plain text. Options of `node:tls` say whom to trust.",
    default: false
  }),
  requireAuth: OptionRules.option({
    expects: `a list of ${authMethods.join(", ")}`,
    is: (value) => Array.isArray(value) && value.length > 0 && value.every((method) => isAuthMethod(String(method)))
  }, {
    does: "The ways of proving who one is that are accepted of the server, as `require_auth` of libpq: " +
      "`\"scram-sha-256\"`, `\"md5\"`, `\"password\"` (the password itself) and `\"none\"`. A server that asks for " +
      "another is refused before anything is sent.",
    defaults: "Default: all of them, but the password itself only if the connection is encrypted, is local, or this " +
      "option names `\"password\"`.",
    tooSmall: "no dial succeeds.",
    tooLarge: "a server that somebody put in the place of yours may ask for the password."
  }),
  applicationName: OptionRules.option(OptionRules.text, {
    does: "The name that `pg_stat_activity` shows.",
    defaults: "Default: the pool's name."
  }),
  statementTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "The server ends a statement that takes longer.",
    defaults: "Default: the server's own setting.",
    tooSmall: "reports and migrations fail.",
    tooLarge: "a runaway statement holds its connection as long, and for ever if there is no limit."
  }),
  idleInTransactionTimeout: OptionRules.option(OptionRules.duration(1), {
    does: "The server ends a session that leaves a transaction open without a statement for so long.",
    defaults: "Default: the server's own setting.",
    tooLarge: "a forgotten transaction holds its locks as long, and for ever if there is no limit."
  }),
  searchPath: OptionRules.option({
    expects: "a list of schema names",
    is: (value) => Array.isArray(value) && value.length > 0 && value.every(OptionRules.text.is)
  }, {
    does: "The schemas in which names are looked up, in order.",
    defaults: "Default: the server's own setting."
  }),
  settings: OptionRules.option({
    expects: "an object of texts",
    is: (value) => OptionRules.object.is(value) && Object.values(value as object).every(isSetting)
  }, {
    does: "More run-time settings of each session, such as `{ timezone: \"UTC\", lock_timeout: \"5s\" }`."
  }),
  role: OptionRules.option(OptionRules.oneOf("any", "primary", "standby"), {
    does:
      "`\"primary\"` refuses a server that is a standby or accepts no writes (`default_transaction_read_only`), and " +
      "gives up a connection whose server has become one; `\"standby\"` refuses a primary. Both cost each dial one " +
      "round trip.",
    default: "any"
  }),
  sessionReset: OptionRules.option(OptionRules.oneOf("whenNeeded", "always"), {
    does:
      "`\"whenNeeded\"`: after a lease that left something behind (settings, an open transaction, `LISTEN`, locks, " +
      "temporary tables) the session is cleaned, after any other nothing is done. `\"always\"`: it is cleaned after " +
      "every lease. Needed only if functions in the database change session state, which can't be seen from " +
      "outside.",
    default: "whenNeeded"
  }),
  sharing: OptionRules.option(OptionRules.count(1, 128), {
    does: "How many single statements may be on one connection at once, when no connection is idle: `query` and " +
      "statements of `SqlClient` outside of a transaction are then sent without waiting for each other's answers. " +
      "At most 128.",
    defaults: "Default 1, which lends a connection to each.",
    tooSmall: "many short statements take more connections and more time.",
    tooLarge:
      "one waits for the slow ones sent before it on the same connection, and a statement that is interrupted is " +
      "stopped on the server only once nobody else uses its connection."
  }),
  session: OptionRules.option(OptionRules.callable, {
    does:
      "How a session is for the callers of a key, which is the `affinity` that `Traffic.with` says around them, such as a " +
      "tenant: its role and settings. Before a connection is lent, a new one or one that others had, it is made so, in one " +
      "or two round trips and without any if it is so already; for callers without a key it is as it was opened. One that " +
      "can't be made so is replaced, and the caller fails with `ConnectFailed`. With `traffic: { affinity: true }` callers " +
      "prefer connections that are theirs.",
    defaults: "Default: sessions are all the same.",
    note:
      "Not beside `sharing`. Behind a PgBouncer in transaction mode nothing is done to a connection before it is lent: " +
      "each transaction of a key begins with its state (`set_config(..., true)`), and each statement outside of one is put " +
      "into a transaction, which takes four round trips instead of one. A statement that the server refuses in " +
      "transactions (`VACUUM`) is then `PoolMisuse`, and a state that can't be set fails the statement with a `SqlError`."
  }),
  pooler: OptionRules.option(Pooler.rule, {
    within: Pooler.table,
    does:
      "Says that a PgBouncer is in between, and how it lends server connections. In the mode `\"transaction\"` no " +
      "reset is sent, statements are not prepared unless `prepare` says so, and what would stay in a session is " +
      "refused: start-up settings when the pool is made, statements (`SET`, `LISTEN`, `pg_advisory_lock`, " +
      "temporary tables, ...) as `PoolMisuse` before they are sent, each with the form that works. Not given " +
      "where there is one: what a lease leaves behind is met by others, and resets hit whichever server " +
      "connection comes. Given where there is none: statements are refused for nothing.",
    defaults: "Default: nothing is in between."
  }),
  keepAlive: OptionRules.option(OptionRules.duration("1 second"), {
    does: "Idle time before TCP probes are sent, at least 1 second.",
    default: 30000,
    tooSmall: "the network has more to do.",
    tooLarge: "a connection that is dead without a word is noticed late, and firewalls forget it."
  }),
  heavy: OptionRules.option(Heavy.rule, {
    within: Heavy.table,
    does: "Keeps heavy single statements (`query`, and those of `SqlClient` outside of transactions) in a lane, so " +
      "that short ones never wait for all connections to come back from them: `{}` takes the defaults. What is " +
      "heavy is told by the last runs of a statement, before that by the planner, which costs a text one round " +
      "trip when it comes first.",
    defaults: "Default: no statement is kept apart."
  }),
  prewarm: OptionRules.option({
    expects: "an object with run, a list of statements, and perhaps a timeout",
    is: OptionRules.hasParts(prewarmTable, "run")
  }, {
    within: prewarmTable,
    does:
      "Statements without parameters that are run on a new connection before it is lent, so that its first caller " +
      "does not wait for the server to read catalogues and tables. One that fails, or takes longer than `timeout` " +
      "(2 s), is told in the log and fails no dial.",
    defaults: "Default: none."
  }),
  prepare: OptionRules.option(OptionRules.flag, {
    does: "Whether statements are prepared once per connection and then reused by name.",
    defaults:
      "Default `true`: a text is prepared when it comes for the second time, on whichever connection of the pool, " +
      "since one that comes once costs more when prepared."
  }),
  preparedStatementCacheSize: OptionRules.option(OptionRules.count(1, 1_000_000), {
    does: "How many prepared statements each connection keeps.",
    default: 100,
    tooSmall: "statements are prepared again and again.",
    tooLarge: "the server keeps their plans in the memory of each session."
  }),
  maxMessageSize: OptionRules.option(OptionRules.count(1024, 0x7fffffff), {
    does: "The largest message accepted from the server, in bytes.",
    default: 16 * 1024 * 1024,
    shows: "16 MiB",
    tooSmall: "a row with a large value costs its connection.",
    tooLarge: "a server out of its mind can fill the memory with it."
  }),
  types: OptionRules.option(OptionRules.object, {
    does: "Codecs for types beyond those built in."
  }),
  spanAttributes: OptionRules.option(OptionRules.object, {
    does: "Attributes of each statement's span."
  }),
  transformResultNames: OptionRules.option(OptionRules.callable, {
    does: "Renames the columns of results, such as `String.snakeToCamel`."
  }),
  transformQueryNames: OptionRules.option(OptionRules.callable, {
    does: "Renames identifiers in statements, such as `String.camelToSnake`."
  }),
  transformJson: OptionRules.option(OptionRules.flag, {
    does: "Whether the names in JSON values are renamed as well. Without effect unless names are renamed.",
    default: true
  })
}
