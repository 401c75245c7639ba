/**
 * Runs one process of Redis: a server, a node of a cluster, or a sentinel.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { freePort } from "./freePort.ts"
import { signal } from "./processTree.ts"
import { EmbeddedRedisError } from "./redisError.ts"
import { type Home, register } from "./redisHome.ts"
import { type Address, ask } from "./redisReply.ts"

export const host = "127.0.0.1"

export interface Settings {
  readonly [name: string]: string | number | boolean
}

/** A process as it is to be started, now or again after a crash. */
export interface Plan {
  readonly home: Home
  readonly address: Address
  readonly isSentinel: boolean
  /** The lines of its configuration. A sentinel and a node of a cluster write down there what they learn. */
  readonly lines: ReadonlyArray<string>
  /** Beside its configuration. */
  readonly files: Readonly<Record<string, string>>
}

/** A server that answers, or did. */
export interface Server {
  readonly process: ChildProcess
  readonly pid: number
  /** The last lines of its log. */
  readonly log: ReadonlyArray<string>
}

/** A value which may hold any characters. */
export const quote = (value: string): string =>
  `"${Array.from(Buffer.from(value), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`

/** Writes the configuration. Not repeated at a restart, since a process may have changed it. */
export const prepare = ({ address, files, home, lines }: Plan): Effect.Effect<void, EmbeddedRedisError> =>
  Effect.tryPromise({
    try: async () => {
      const directory = workingDirectory(home, address.port)
      await mkdir(directory, { recursive: true })
      for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text, { mode: 0o600 })
      await writeFile(configuration(home, address.port), `${lines.join("\n")}\n`, { mode: 0o600 })
    },
    catch: (cause) => new EmbeddedRedisError({ step: "prepare", detail: String(cause), cause })
  })

const workingDirectory = (home: Home, port: number): string => join(home.dir, String(port))

const configuration = (home: Home, port: number): string => join(workingDirectory(home, port), "redis.conf")

/** Starts the process and waits until it answers. */
export const start = (plan: Plan): Effect.Effect<Server, EmbeddedRedisError> =>
  Effect.scoped(Effect.gen(function*() {
    const server = yield* Effect.acquireRelease(
      Effect.sync(() => launch(plan)),
      (server, exit) => exit._tag === "Failure" ? kill(server) : Effect.void
    )
    yield* Effect.raceFirst(answers(plan.address), died(server))
    return server
  }))

/** In a group of its own, so that it does not get signals meant for this process (Ctrl-C). */
const launch = ({ address, home, isSentinel }: Plan): Server => {
  const { argv0, path } = home.binary
  const args = [configuration(home, address.port), ...(isSentinel ? ["--sentinel"] : [])]
  const child = spawn(path, args, {
    argv0,
    cwd: workingDirectory(home, address.port),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"]
  })
  register(home, child)
  const log: Array<string> = []
  readLines(child, (line) => {
    log.push(line)
    if (log.length > 200) log.shift()
  })
  return { process: child, pid: child.pid ?? 0, log }
}

/** It answers, be it that it wants a password: from then on it serves. */
const answers = (address: Address): Effect.Effect<void> =>
  ask(address, ["PING"]).pipe(
    Effect.timeout("1 second"),
    Effect.retry({ schedule: Schedule.spaced("10 millis") }),
    Effect.orDie,
    Effect.asVoid
  )

const died = ({ log, process: child }: Server): Effect.Effect<never, EmbeddedRedisError> =>
  Effect.callback((resume) => {
    const fail = (cause?: unknown): void =>
      resume(Effect.fail(new EmbeddedRedisError({ step: "start", detail: log.slice(-5).join("; "), cause })))
    child.once("error", fail).once("close", () => fail())
    return Effect.sync(() => void child.removeListener("close", fail))
  })

export const isPortTaken = (error: EmbeddedRedisError): boolean =>
  error.step === "start" && /Address already in use|Failed listening on port/.test(error.detail)

export const isRunning = ({ process: child }: Server): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

export const kill = (server: Server): Effect.Effect<void> => end(server, "SIGKILL")

/** Ends it in order. A frozen one has to go on for that. */
export const shutDown = (server: Server): Effect.Effect<void> => end(server, "SIGTERM", "SIGCONT")

const end = (server: Server, ...names: ReadonlyArray<NodeJS.Signals>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!isRunning(server)) return resume(Effect.void)
    server.process.once("exit", () => resume(Effect.void))
    names.forEach((name) => signal(server.pid, name))
  })

/** Ports nobody listens on just now. */
export const freePorts = (count: number): Effect.Effect<ReadonlyArray<number>, EmbeddedRedisError> =>
  Effect.replicateEffect(
    freePort((detail, cause) => new EmbeddedRedisError({ step: "start", detail, cause })),
    count
  ).pipe(
    Effect.repeat({ until: (ports: ReadonlyArray<number>) => new Set(ports).size === count })
  )

const readLines = (child: ChildProcess, onLine: (line: string) => void): void => {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ""
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop() ?? ""
      lines.forEach(onLine)
    })
  }
}
