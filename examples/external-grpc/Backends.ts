/** The same over several hosts: a pool each, and the load balanced over them. */
import { BalancedPool, type PoolConfig, ResourcePool } from "@effect-pools/core"
import { Cause, type Duration, Effect, Exit } from "effect"
import { options, priceFrom } from "./Backend.ts"
import { CallError, type Channel } from "./Channel.ts"

/** A host is to blame for what it says of itself; what it says of a request is as good as an answer. */
const classify: BalancedPool.Classify = (exit) => {
  if (Exit.isSuccess(exit)) return "success"
  const error = Cause.squash(exit.cause)
  if (!(error instanceof CallError)) return "ignore"
  return error.status === "UNAVAILABLE" ? "failure" : "success"
}

export class Backends extends BalancedPool.Service<Backends, Channel>()("app/Backends") {
  static readonly to = (addresses: ReadonlyArray<string>, pool?: PoolConfig.PoolOptions) =>
    this.layer(
      Effect.forEach(addresses, (address) =>
        // One that is down must not keep the program from starting.
        Effect.map(ResourcePool.make({ ...options(address, pool), name: address, startup: "lazy" }), (pool) => ({
          pool
        }))),
      { strategy: "roundRobin", classify }
    )
}

const once = priceFrom(Backends)

/** A price may be asked for twice: whoever meets a host that is just going away goes on to the next. */
export const priceOf = (item: string, within?: Duration.Input) =>
  Effect.retry(once(item, within), { times: 1, while: ({ isRetryable }) => isRetryable })
