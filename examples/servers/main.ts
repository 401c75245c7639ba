/**
 * Servers for a program of your own: a PostgreSQL, a Redis and an HTTP API, at ports that are free.
 *
 *     npm run servers -- node first.ts
 *
 * runs the program with `DATABASE_URL`, `REDIS_URL` and `VOICE_API` set, and ends with it. Without a program it prints
 * the three and stays until Ctrl-C. A program in this clone finds the packages' sources, since none is built yet.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { EmbeddedPostgres, EmbeddedRedis } from "@effect-pools/testing"
import { Console, Data, Effect, Redacted } from "effect"
import { ChildProcess } from "effect/process"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

class Ended extends Data.TaggedError("Ended")<{ readonly command: string; readonly code: number }> {
  override get message(): string {
    return `${this.command} ended with exit code ${this.code}`
  }
}

/** An API that says what it was asked. */
const api = Effect.acquireRelease(
  Effect.callback<Http.Server>((resume) => {
    const server = Http.createServer(({ method, url }, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ method, url }))
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
)

const run = Effect.fnUntraced(function*(command: string, args: ReadonlyArray<string>, env: Record<string, string>) {
  const child = yield* ChildProcess.make(command, args, {
    env,
    extendEnv: true,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit"
  })
  const code = Number(yield* child.exitCode)
  if (code !== 0) return yield* new Ended({ command, code })
})

const main = Effect.gen(function*() {
  yield* Console.error(
    "-- starting a PostgreSQL, a Redis and an HTTP API (where there is no Redis, one is installed if that can be)"
  )
  const [postgres, redis, server] = yield* Effect.all([EmbeddedPostgres.make(), EmbeddedRedis.make(), api], {
    concurrency: "unbounded"
  })
  const env = {
    DATABASE_URL: Redacted.value(postgres.url),
    REDIS_URL: Redacted.value(redis.url),
    VOICE_API: `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const [, , command, ...args] = process.argv
  if (command === undefined) {
    for (const [name, value] of Object.entries(env)) yield* Console.log(`export ${name}='${value}'`)
    yield* Console.error("-- they stay until Ctrl-C")
    return yield* Effect.never
  }
  yield* run(command, args, { ...env, NODE_OPTIONS: "--conditions=@effect-pools/source" })
})

main.pipe(Effect.scoped, Effect.provide(NodeServices.layer), NodeRuntime.runMain)
