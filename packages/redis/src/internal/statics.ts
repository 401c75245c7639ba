/**
 * The commands as statics of a pool's class: each takes a connection for as long as it needs one.
 *
 * A command that leaves nothing behind shares one with others; any other has one to itself.
 */
import { type PoolError, PoolMisuse } from "@effect-pools/core/PoolError"
import type * as Effect from "effect/Effect"
import type { Command, Decoder } from "../RedisCommand.ts"
import { commands, type Methods } from "../RedisCommands.ts"
import type { CommandList, Runner, ScriptArgs } from "../RedisConnector.ts"
import type { RedisError } from "../RedisError.ts"
import * as Dirt from "./dirt.ts"
import { type Lease, leaseOf, listOf } from "./lent.ts"
import { named } from "./name.ts"
import type { Pool } from "./runtime.ts"
import * as Scan from "./scan.ts"
import * as Script from "./script.ts"

type AnyCommand = Command<unknown>

export type Statics<Self> = Methods<RedisError | PoolError, Self> & Runner<PoolError, Self>

export const make = <Self>(withPool: WithPool<Self>): Statics<Self> => {
  const run = <A>(command: Command<A>) => withPool((pool) => alone(pool, named(command)))
  const stepper: Scan.Stepper<RedisError | PoolError, Self> = {
    run,
    runAt: (command, primary) => withPool((pool) => borrow(pool, true, (lease) => lease.runAt(command, primary)))
  }
  const all = <A, E>(
    list: CommandList<ReadonlyArray<AnyCommand>>,
    f: (lease: Lease, commands: ReadonlyArray<AnyCommand>) => Effect.Effect<A, E>
  ) =>
    withPool((pool) => {
      const commands = listOf(list)
      return borrow(pool, commands.every(Dirt.isShareable), (lease) => f(lease, commands))
    })
  const runner = {
    run,
    pipeline: (list: CommandList<ReadonlyArray<AnyCommand>>) =>
      all(list, (lease, commands) => lease.pipeline(commands)),
    multi: (list: CommandList<ReadonlyArray<AnyCommand>>) => all(list, (lease, commands) => lease.multi(commands)),
    script: (lua: string, args?: ScriptArgs, decode?: Decoder<unknown>) => Script.run(run, lua, args, decode),
    scan: (options) => Scan.keys(stepper, options),
    hscan: (key, options) => Scan.within(stepper, "HSCAN", Scan.fields, key, options),
    sscan: (key, options) => Scan.within(stepper, "SSCAN", Scan.members, key, options),
    zscan: (key, options) => Scan.within(stepper, "ZSCAN", Scan.scored, key, options)
  } satisfies Record<keyof Runner<never>, unknown> & Pick<Runner<PoolError, Self>, "scan" | "hscan" | "sscan" | "zscan">
  const methods: Record<string, unknown> = { ...runner }
  for (const [name, make] of Object.entries(commands) as ReadonlyArray<[string, (...args: any) => AnyCommand]>) {
    methods[name] = (...args: ReadonlyArray<unknown>) => withPool((pool) => alone(pool, make(...args)))
  }
  // One by one they are what the type says; TypeScript can't see it in a loop.
  return methods as unknown as Statics<Self>
}

/** Runs an effect of the pool. What is thrown while it is made is a defect of the effect. */
export type WithPool<R> = <A, E>(f: (pool: Pool) => Effect.Effect<A, E>) => Effect.Effect<A, E, R>

/** Runs one command on a connection that is given back after it. */
const alone = <A>(pool: Pool, command: Command<A>): Effect.Effect<A, RedisError | PoolError> => {
  if (Dirt.isShareable(command)) return borrow(pool, true, (lease) => lease.run(command))
  if (Dirt.isPreparation(command)) {
    const rule =
      `${command.name} has an effect only on the connection that it was sent on, which would be given back ` +
      "at once: call it within withConnection, together with what it is for" +
      (command.name.endsWith("SUBSCRIBE") ? ", or use subscribe" : "")
    throw new PoolMisuse({ pool: pool.name, rule })
  }
  return borrow(pool, false, (lease) => lease.run(command))
}

const borrow = <A, E>(
  pool: Pool,
  isShareable: boolean,
  f: (lease: Lease) => Effect.Effect<A, E>
): Effect.Effect<A, E | PoolError> =>
  isShareable ? pool.withShared((lent) => f(leaseOf(lent))) : pool.withConnection((lent) => f(leaseOf(lent)))
