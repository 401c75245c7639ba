/**
 * Finds a Redis or Valkey server on this machine, and installs one where that can be done without asking.
 */
import * as Effect from "effect/Effect"
import { execFile, spawn } from "node:child_process"
import { EmbeddedRedisError } from "./redisError.ts"

/**
 * How a server is started. One program is a server or a tool, depending on the name it is called by.
 */
export interface Binary {
  readonly path: string
  readonly argv0: string
  /** The major version of Redis whose commands it speaks. */
  readonly major: number
}

export const find: Effect.Effect<Binary, EmbeddedRedisError> = Effect.suspend(() =>
  Effect.catch(findInstalled, (missing) => Effect.andThen(install(missing), findInstalled))
)

/** Debian's package of tools holds the server as well, without the service that the server's own package starts. */
const candidates: ReadonlyArray<Omit<Binary, "major">> = [
  { path: "redis-server", argv0: "redis-server" },
  { path: "valkey-server", argv0: "valkey-server" },
  { path: "redis-check-rdb", argv0: "redis-server" }
]

const missing = new EmbeddedRedisError({
  step: "install",
  detail: "neither redis-server nor valkey-server is on the PATH. Install one of them: "
    + "'apt-get install redis-tools' on Debian (the tests do so themselves as root), 'brew install redis' on macOS"
})

const findInstalled: Effect.Effect<Binary, EmbeddedRedisError> = Effect.gen(function*() {
  for (const candidate of candidates) {
    const major = yield* versionOf(candidate)
    if (major !== undefined) return { ...candidate, major }
  }
  return yield* missing
})

/** A Valkey server says its own version, which is above the one of Redis that it descends from. */
const versionOf = ({ argv0, path }: Omit<Binary, "major">): Effect.Effect<number | undefined> =>
  Effect.callback((resume) => {
    const child = spawn(path, ["--version"], { argv0, stdio: ["ignore", "pipe", "ignore"] })
    let said = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (said += chunk))
    child.once("error", () => resume(Effect.succeed(undefined))).once("close", () => {
      const major = /server v=(\d+)\./.exec(said)?.[1]
      resume(Effect.succeed(major === undefined ? undefined : Number(major)))
    })
  })

/** Tests that start together must not install at once, nor a second time. */
const script = `
command -v redis-check-rdb && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends redis-tools ||
  { apt-get update && apt-get install -y --no-install-recommends redis-tools; }
`

const install = (missing: EmbeddedRedisError): Effect.Effect<void, EmbeddedRedisError> =>
  Effect.callback((resume) => {
    if (process.platform !== "linux" || process.getuid?.() !== 0) return resume(Effect.fail(missing))
    const args = ["/tmp/effect-pools-redis.lock", "/bin/sh", "-c", script]
    execFile("flock", args, { timeout: 300_000 }, (cause, _, stderr) => {
      if (cause === null) return resume(Effect.void)
      const said = stderr.trim().split("\n").at(-1) ?? cause.message
      resume(Effect.fail(new EmbeddedRedisError({ step: "install", detail: `${missing.detail} (${said})`, cause })))
    })
  })
