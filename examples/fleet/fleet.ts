/**
 * Processes that are started, stopped and killed, and what they say.
 */
import { Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Told } from "./protocol.ts"

const script = fileURLToPath(new URL("member.ts", import.meta.url))

export interface Member {
  readonly name: string
  readonly last: () => Told | undefined
  readonly load: (callers: number) => void
  /** Ends it in order: its connections are closed, and its part is free. */
  readonly stop: Effect.Effect<void>
  /** Ends it as a crash does. */
  readonly kill: Effect.Effect<void>
}

export interface Settings {
  readonly total: number
  readonly database: string
  readonly redis: string
}

export class Fleet {
  readonly members = new Map<string, Member>()
  private readonly gone: Array<Told> = []
  private readonly settings: Settings

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** Starts a process, which is one of the fleet when it has said its first word. */
  start(name: string, clockOff = 0): Effect.Effect<Member, never, Scope.Scope> {
    const { database, redis, total } = this.settings
    const spawn = Effect.sync(() =>
      fork(script, [], {
        execArgv: ["--conditions=@effect-pools/source"],
        env: {
          ...process.env,
          // Each process would compile the same sources anew, which is most of the work of a scene with many of them.
          NODE_COMPILE_CACHE: join(tmpdir(), "effect-pools-fleet"),
          NAME: name,
          TOTAL: String(total),
          DATABASE_URL: database,
          REDIS_URL: redis,
          CLOCK_OFF: String(clockOff)
        },
        stdio: ["ignore", "inherit", "inherit", "ipc"]
      })
    )
    return Effect.acquireRelease(spawn, (child) => ended(child, "SIGKILL")).pipe(
      Effect.flatMap((child) => this.listen(name, child))
    )
  }

  /** Whatever failed in any of its processes. */
  get failures(): Readonly<Record<string, number>> {
    const all: Record<string, number> = {}
    const told = [...this.gone, ...Array.from(this.members.values(), ({ last }) => last())]
    for (const { failures } of told.filter((each) => each !== undefined)) {
      for (const [message, count] of Object.entries(failures)) all[message] = (all[message] ?? 0) + count
    }
    return all
  }

  get served(): number {
    const now = Array.from(this.members.values(), ({ last }) => last()?.served ?? 0)
    return [...now, ...this.gone.map(({ served }) => served)].reduce((sum, each) => sum + each, 0)
  }

  private listen(name: string, child: ChildProcess): Effect.Effect<Member> {
    return Effect.callback<Member>((resume) => {
      let last: Told | undefined
      const end = (signal: NodeJS.Signals) =>
        Effect.andThen(
          ended(child, signal),
          Effect.sync(() => {
            if (this.members.get(name) === member) this.members.delete(name)
            if (last !== undefined) this.gone.push(last)
          })
        )
      const member: Member = {
        name,
        last: () => last,
        load: (callers) => void child.send({ callers }),
        stop: end("SIGTERM"),
        kill: end("SIGKILL")
      }
      child.on("message", (told: Told) => {
        if (last === undefined) {
          this.members.set(name, member)
          resume(Effect.succeed(member))
        }
        last = told
      })
      child.once("exit", (code) => {
        if (last === undefined) resume(Effect.die(new Error(`${name} ended with ${code} before it had begun`)))
      })
    })
  }
}

const ended = (child: ChildProcess, signal: NodeJS.Signals): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill(signal)
  })
