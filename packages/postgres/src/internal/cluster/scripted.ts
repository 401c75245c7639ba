/**
 * A cluster whose servers are a script.
 */
import { DialError } from "@effect-pools/core/DialError"
import type { InvalidOption, PoolError } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Reactivity from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import type { ClusterScript, ScriptedServer } from "../../ClusterScript.ts"
import * as PostgresScript from "../../PostgresScript.ts"
import type * as Runtime from "../runtime.ts"
import * as Scripted from "../scripted.ts"
import * as Verdict from "../verdict.ts"
import { termsOf } from "./live.ts"
import type { ClusterOptions } from "./model.ts"
import * as Options from "./options.ts"
import type { Sample } from "./node.ts"
import * as ClusterRuntime from "./runtime.ts"

export const make = Effect.fnUntraced(function*(
  id: string,
  script: ClusterScript,
  options: Partial<ClusterOptions>
): Effect.fn.Return<Runtime.Pool, PoolError | InvalidOption, Scope.Scope | Reactivity.Reactivity> {
  const clock = yield* Clock.Clock
  const given = { database: "scripted", username: "scripted", ...PoolService.quiet, ...options }
  const plan = yield* Options.plan({
    ...given,
    primary: { host: "server-0" },
    replicas: script.servers.slice(1).map((_, index) => ({ host: `server-${index + 1}` }))
  }, id)
  const log = new Log(script, () => clock.currentTimeMillisUnsafe())
  const numberOf = (name: string): number => plan.nodes.findIndex((node) => node.name === name)
  const servers = plan.nodes.map((_, index) => Scripted.makeServer(scriptOf(script, log, index)))
  return yield* ClusterRuntime.make(plan, termsOf(id, { ...given, startupTimeout: undefined }), {
    connector: (node, kit) => {
      const index = numberOf(node.name)
      const server = servers[index]!
      return Scripted.connectorOf(
        { connect: (signals) => whileUp(script, index, Effect.suspend(() => server.connect(signals))) },
        kit
      )
    },
    source: (node) => {
      const index = numberOf(node.name)
      const asking = whileUp(script, index, Effect.sync(() => log.sampleOf(index)))
      return { connect: () => Effect.as(asking, asking) }
    }
  })
})

const whileUp = <A, E>(
  script: ClusterScript,
  index: number,
  effect: Effect.Effect<A, E>
): Effect.Effect<A, E | DialError> =>
  Effect.suspend<A, E | DialError, never>(() =>
    script.servers[index]!.isUp ? effect : Effect.fail(
      new DialError({
        address: `server-${index}`,
        message: `server-${index}: connection refused`,
        code: "ECONNREFUSED",
        isRetryable: true
      })
    )
  )

/** The writes of the primary, and their times. */
class Log {
  private readonly entries: Array<{ readonly at: number; readonly lsn: number }> = []
  private readonly script: ClusterScript
  private readonly now: () => number

  constructor(script: ClusterScript, now: () => number) {
    this.script = script
    this.now = now
  }

  write(server: ScriptedServer): void {
    server.lsn += 100
    this.entries.push({ at: this.now(), lsn: server.lsn })
  }

  sampleOf(index: number): Omit<Sample, "at"> {
    const server = this.script.servers[index]!
    if (server.isStandby) this.follow(server)
    return {
      lsn: server.lsn,
      timeline: server.timeline,
      isStandby: server.isStandby,
      systemId: "1",
      startedAt: String(index)
    }
  }

  private follow(server: ScriptedServer): void {
    const until = this.now() - server.lag
    for (const { at, lsn } of this.entries) if (at <= until && lsn > server.lsn) server.lsn = lsn
    server.timeline = Math.max(...this.script.servers.filter(({ isUp }) => isUp).map(({ timeline }) => timeline))
  }
}

const scriptOf = (script: ClusterScript, log: Log, index: number): PostgresScript.Script => ({
  statements: [],
  remaining: () => 0,
  record: (statement) => script.record({ ...statement, server: index }),
  answer: ({ params, text }) => {
    const server = script.servers[index]!
    if (!server.isUp) return PostgresScript.failure("08006")
    const { mayWrite } = Verdict.of(text)
    if (server.isStandby && mayWrite) return PostgresScript.failure("25006")
    const answer = script.answer(text, params, index)
    if (answer === undefined) throw new Error(`the script has no answer for ${text.slice(0, 300)} on server ${index}`)
    if (mayWrite) log.write(server)
    return answer
  }
})
