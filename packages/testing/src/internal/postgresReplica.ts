/**
 * Makes the data directory of a streaming replica from a primary that goes on serving: a base backup, without the tools
 * that PostgreSQL has for it, which the binaries from npm lack.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import { execFile } from "node:child_process"
import { appendFile, chown, mkdir, readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { EmbeddedPostgresError } from "./postgresError.ts"
import { type Home, spawnOptions } from "./postgresHome.ts"

interface Primary {
  readonly data: string
  readonly host: string
  readonly port: number
  readonly superuser: string
  readonly password: Redacted.Redacted
}

/** Fills the data directory of `home`. Everything the primary commits from now on will reach the replica. */
export const initialise = (home: Home, primary: Primary): Effect.Effect<void, EmbeddedPostgresError> =>
  Effect.scoped(Effect.gen(function*() {
    const session = yield* sql(PgConnection.make({
      host: primary.host,
      port: primary.port,
      username: primary.superuser,
      password: primary.password,
      database: "postgres"
    }))
    const slot = slotName()
    // The primary keeps for the slot what the replica has not read yet, however long the replica is down.
    yield* sql(session.query("SELECT true FROM pg_create_physical_replication_slot($1, true)", [slot]))
    yield* sql(session.query("SELECT true FROM pg_backup_start('replica', true)", []))
    yield* copy(home, primary.data)
    const label = (yield* sql(session.query("SELECT labelfile FROM pg_backup_stop(false)", []))).rows[0]?.["labelfile"]
    yield* file(() => prepare(home, primary, slot, String(label)))
  }))

export const slotName = (): string => `replica_${crypto.randomUUID().replaceAll("-", "")}`

export const connectionInfo = ({ host, password, port, superuser }: Omit<Primary, "data">): string =>
  `host=${host} port=${port} user=${superuser} password=${Redacted.value(password)}`

const sql = <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, EmbeddedPostgresError, R> =>
  Effect.mapError(effect, (cause) => new EmbeddedPostgresError({ step: "replicate", detail: cause.message, cause }))

const file = (f: () => Promise<void>): Effect.Effect<void, EmbeddedPostgresError> =>
  Effect.tryPromise({
    try: f,
    catch: (cause) => new EmbeddedPostgresError({ step: "replicate", detail: String(cause), cause })
  })

/** A file that the primary removes meanwhile makes the copy fail; the next one does not meet it. */
const copy = (home: Home, from: string): Effect.Effect<void, EmbeddedPostgresError> =>
  Effect.callback<void, EmbeddedPostgresError>((resume) => {
    execFile("cp", ["-a", `${from}/.`, home.data], spawnOptions(home), (cause) =>
      resume(
        cause === null
          ? Effect.void
          : Effect.fail(new EmbeddedPostgresError({ step: "replicate", detail: cause.message, cause }))
      ))
  }).pipe(Effect.retry({ times: 3 }))

/**
 * The files that belong to the primary alone: its log of changes, which is streamed, its slots, its locks and memory.
 */
const ofPrimary = ["pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_subtrans"]

const prepare = async (home: Home, primary: Primary, slot: string, label: string): Promise<void> => {
  for (const folder of ofPrimary) {
    for (const name of await readdir(join(home.data, folder))) {
      await rm(join(home.data, folder, name), { recursive: true, force: true })
    }
  }
  await mkdir(join(home.data, "pg_wal", "archive_status"))
  for (const name of ["postmaster.pid", "postmaster.opts"]) await rm(join(home.data, name), { force: true })
  await writeFile(join(home.data, "backup_label"), label)
  await writeFile(join(home.data, "standby.signal"), "")
  // In a file that only the server's user can read: a command line would show the password to the whole machine.
  await appendFile(
    join(home.data, "postgresql.auto.conf"),
    `primary_conninfo = '${connectionInfo(primary)}'\nprimary_slot_name = '${slot}'\n`
  )
  if (home.runAs.uid === undefined) return
  for (const name of ["backup_label", "standby.signal", "pg_wal/archive_status"]) {
    await chown(join(home.data, name), home.runAs.uid, home.runAs.gid)
  }
}
