/** Runs exchanges until the time is up, and tells what they did to the process. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import type { Case } from "./Corpus.ts"
import { Dice } from "./Dice.ts"
import { type Answer, type Conversations, hostile, listen, replayed, type Script } from "./HostileServer.ts"
import { oddOptions } from "./options.ts"
import type { Protocol } from "./Protocol.ts"
import { http } from "./protocols/http.ts"
import { postgres } from "./protocols/postgres.ts"
import { redis } from "./protocols/redis.ts"
import { websocket } from "./protocols/websocket.ts"
import { type Seen, Watch } from "./Watch.ts"

export const protocols: ReadonlyArray<Protocol> = [postgres, redis, http, websocket]

/** How many exchanges run side by side: most of their time they wait for a server that is silent. */
const width = 64

export interface FuzzOptions {
  readonly seed: number
  readonly millis: number
  readonly corpus: ReadonlyArray<Case>
  readonly protocols: ReadonlyArray<Protocol>
  /** How long one exchange may take in milliseconds: all limits of its pool together, on a busy machine. */
  readonly longest: number
}

interface Violation {
  readonly protocol: string
  readonly found: string
  /** The way to make it happen again, in words. */
  readonly how: string
  /** The words of the server, where a server was asked. */
  readonly said: Conversations
}

export interface Outcome extends Seen {
  readonly seed: number
  /** How many exchanges ran, by protocol; `options` are pools made from odd options. */
  readonly exchanges: Readonly<Record<string, number>>
  readonly violations: ReadonlyArray<Violation>
}

/** The fault in how a use of a pool ended, or `undefined`. A failure is right: the server was wrong. */
const faultOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  const causes = Exit.isFailure(exit) ? [exit.cause] : innerCauses(exit.value)
  const died = causes.find((cause) => Cause.hasDies(cause))
  return died === undefined ? undefined : `a defect: ${Cause.pretty(died).slice(0, 2000)}`
}

/** The causes of the operations that one use was made of. */
const innerCauses = (value: unknown): ReadonlyArray<Cause.Cause<unknown>> =>
  Array.isArray(value) ? value.flatMap((exit) => Exit.isExit(exit) && Exit.isFailure(exit) ? [exit.cause] : []) : []

/** Runs one use of a pool to its end. */
const judge = async (use: Effect.Effect<unknown, unknown>, longest: number): Promise<string | undefined> => {
  const controller = new AbortController()
  const tooLong = setTimeout(() => controller.abort(), longest)
  const stuck = new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 2 * longest).unref())
  const running = Effect.runPromiseExit(Effect.provide(use, Logger.layer([])), { signal: controller.signal })
  const exit = await Promise.race([running, stuck])
  clearTimeout(tooLong)
  if (exit === undefined) return `it did not end ${longest} ms after it was interrupted`
  return controller.signal.aborted ? `it took longer than ${longest} ms` : faultOf(exit)
}

const exchange = async (
  protocol: Protocol,
  connect: () => Script,
  longest: number
): Promise<string | undefined> => {
  const { close, port } = await listen(connect)
  const found = await judge(protocol.use(port), longest)
  await close()
  return found
}

class Run {
  readonly exchanges: Record<string, number> = {}
  readonly violations: Array<Violation> = []
  private readonly options: FuzzOptions
  private readonly until: number
  private next = 0

  constructor(options: FuzzOptions) {
    this.options = options
    this.until = performance.now() + options.millis
  }

  async corpus(): Promise<void> {
    for (const { found, protocol: name, said } of this.options.corpus) {
      const protocol = this.options.protocols.find((one) => one.name === name)
      if (protocol === undefined) continue
      const again = await exchange(protocol, replayed(said), this.options.longest)
      this.done(name, again, `the case of the corpus "${found}"`, said)
    }
  }

  async lane(): Promise<void> {
    const { longest, protocols, seed } = this.options
    while (performance.now() < this.until) {
      const turn = this.next++
      const protocol = protocols[turn % (protocols.length + 1)]
      const own = seed + turn
      if (protocol === undefined) await this.oddly(own)
      else {
        const said: Array<Array<Answer>> = []
        const script = hostile(protocol, own, said)
        const found = await exchange(protocol, script, longest)
        this.done(protocol.name, found, `--seed ${own}`, said)
      }
    }
  }

  private async oddly(seed: number): Promise<void> {
    const { kind, make, options } = oddOptions(new Dice(seed))
    const found = await judge(make, this.options.longest)
    const names = Object.keys(options).join(", ")
    this.done("options", found, `--seed ${seed}: ${kind} with ${names}`, [])
  }

  private done(protocol: string, found: string | undefined, how: string, said: Conversations): void {
    this.exchanges[protocol] = (this.exchanges[protocol] ?? 0) + 1
    if (found !== undefined) this.violations.push({ protocol, found, how, said })
  }
}

export const fuzz = async (options: FuzzOptions): Promise<Outcome> => {
  const run = new Run(options)
  const watch = new Watch()
  await run.corpus()
  await Promise.all(Array.from({ length: width }, () => run.lane()))
  // Node tells a turn later of an error that nobody caught.
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { seed: options.seed, exchanges: run.exchanges, violations: run.violations, ...watch.end() }
}
