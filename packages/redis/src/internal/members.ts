/**
 * The operations of a Redis pool beyond lending: each command takes a connection for as long as it needs one.
 *
 * A command that leaves nothing behind shares one with others; any other has one to itself.
 */
import { type PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import { type Operations, shared } from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import { type Arg, bytes, type Command, type Decoder, text } from "../RedisCommand.ts"
import { commands } from "../RedisCommands.ts"
import type { CommandList, RedisConnection, ScanOptions, ScriptArgs } from "./connectionModel.ts"
import type { RedisError } from "../RedisError.ts"
import type { SubscribeOptions } from "../RedisSubscription.ts"
import * as Dirt from "./dirt.ts"
import { leaseOf, LentConnection, listOf } from "./lent.ts"
import { named } from "./name.ts"
import type { Pool } from "./pool.ts"
import * as Scan from "./scan.ts"
import * as Script from "./script.ts"
import * as Send from "./send.ts"
import * as Subscribe from "./subscribe.ts"
import type { TopicKind } from "./topic.ts"

type AnyCommand = Command<unknown>
type Ran<A> = Effect.Effect<A, RedisError | PoolError>

/** Runs one command on a connection that is given back after it. */
const run = <A>(pool: Pool, given: Command<A>): Ran<A> => {
  const command = named(given)
  return alone(pool, command, (redis) => redis.run(command))
}

const alone = <A>(
  pool: Pool,
  command: Command<A>,
  send: (redis: RedisConnection) => Effect.Effect<A, RedisError>
): Ran<A> => {
  if (command.refusal !== undefined) return Effect.fail(Send.refusal(command.name, command.refusal))
  if (Dirt.isShareable(command)) return shared(pool, send)
  if (Dirt.isPreparation(command)) {
    const rule =
      `${command.name} has an effect only on the connection that it was sent on, which would be given back ` +
      "at once: call it within withConnection, together with what it is for" +
      (command.name.endsWith("SUBSCRIBE") ? ", or use subscribe" : "")
    throw new PoolMisuse({ pool: pool.name, rule })
  }
  return pool.withConnection(send)
}

/** A typed command. A connection that is no lease, such as a test's double, is asked by the command's name. */
const typed = (name: string, make: (...args: any) => AnyCommand) => (pool: Pool, ...args: ReadonlyArray<unknown>) => {
  const command = make(...args)
  return alone(pool, command, (redis) =>
    redis instanceof LentConnection
      ? redis.run(command)
      : (redis as unknown as Record<string, (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, RedisError>>)[
        name
      ]!(...args))
}

type List = CommandList<ReadonlyArray<AnyCommand>>

const several = (how: "pipeline" | "multi") => (pool: Pool, list: List) => {
  const commands = listOf(list)
  const send = (redis: RedisConnection) => redis[how](commands)
  return commands.every(Dirt.isShareable) ? shared(pool, send) : pool.withConnection(send)
}

const stepperOf = (pool: Pool): Scan.Stepper<RedisError | PoolError, never> => ({
  run: (command) => run(pool, command),
  runAt: (command, primary) => shared(pool, (redis) => leaseOf(redis).runAt(command, primary))
})

const within =
  <A>(name: "HSCAN" | "SSCAN" | "ZSCAN", page: Decoder<ReadonlyArray<A>>) =>
  (pool: Pool, key: Arg, options?: ScanOptions) => Scan.within(stepperOf(pool), name, page, key, options)

const subscribe =
  (kind: TopicKind) => (pool: Pool, names: string | ReadonlyArray<string>, options?: SubscribeOptions) =>
    Subscribe.stream(pool, kind, names, options)

const makers = Object.entries(commands) as ReadonlyArray<[string, (...args: any) => AnyCommand]>

export const operations: Operations<Pool> = {
  methods: {
    ...Object.fromEntries(makers.map(([name, make]) => [name, typed(name, make)])),
    run,
    pipeline: several("pipeline"),
    multi: several("multi"),
    script: (pool, lua: string, args?: ScriptArgs, decode?: Decoder<unknown>) =>
      Script.run((command) => run(pool, command), lua, args, decode)
  },
  streaming: {
    scan: (pool, options?: ScanOptions) => Scan.keys(stepperOf(pool), text, options),
    scanBuffer: (pool, options?: ScanOptions) => Scan.keys(stepperOf(pool), bytes, options),
    hscan: within("HSCAN", Scan.fields),
    sscan: within("SSCAN", Scan.members),
    zscan: within("ZSCAN", Scan.scored),
    subscribe: subscribe("channel"),
    psubscribe: subscribe("pattern"),
    ssubscribe: subscribe("shard")
  }
}
