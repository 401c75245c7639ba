/**
 * Leases of the primary: wherever it is, and for a while when nobody is.
 */
import type { BalancedPool } from "@effect-pools/core/BalancedPool"
import type { ConnectionPool, LeaseOptions } from "@effect-pools/core/ConnectionPool"
import { PoolError, PoolPaused } from "@effect-pools/core/PoolError"
import * as PoolService from "@effect-pools/core/PoolService"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { LentConnection } from "../lent.ts"
import type { Cluster } from "./cluster.ts"
import { CurrentSession, type View } from "./session.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The pool of the primary, over the pools of all servers. Its leases count as writes of their session. */
export const make = (cluster: Cluster, balanced: BalancedPool<LentConnection>): ConnectionPool<LentConnection> => {
  const withConnection = <A, E, R>(
    f: (lease: LentConnection) => Effect.Effect<A, E, R>,
    options?: LeaseOptions
  ): Effect.Effect<A, E | PoolError, R> =>
    Effect.withFiber((fiber) => {
      const view = viewOf(cluster, fiber)
      let lease: LentConnection | undefined
      const borrow = balanced.withConnection((lent) => {
        lease = lent
        begin(view)
        return f(lent)
      }, options)
      return Effect.onExitPrimitive(
        cluster.primary === undefined ? whenThereIsOne(cluster, borrow) : borrow,
        (exit) => {
          if (lease !== undefined) end(cluster, view)
          if (Exit.isFailure(exit)) suspect(cluster, lease)
          return undefined
        }
      )
    })
  const acquireWith = (options?: LeaseOptions): Effect.Effect<LentConnection, PoolError, Scope.Scope> =>
    Effect.withFiber((fiber) => {
      const view = viewOf(cluster, fiber)
      // Counted in the same step, so that no interruption can take back what was never added.
      const borrow = Effect.map(balanced.acquireWith(options), (lease) => {
        begin(view)
        return lease
      })
      const held = Effect.acquireRelease(borrow, () => Effect.sync(() => end(cluster, view)), { interruptible: true })
      return cluster.primary === undefined ? whenThereIsOne(cluster, held) : held
    })
  const each = <A, E>(f: (pool: ConnectionPool<LentConnection>) => Effect.Effect<A, E>) =>
    Effect.suspend(() => Effect.forEach(cluster.nodes, ({ bare }) => f(bare), { concurrency: "unbounded" }))
  return {
    ...PoolService.derive<LentConnection, LentConnection>(balanced, {
      withConnection,
      acquireWith,
      invalidate: balanced.invalidate,
      drain: balanced.drain
    }),
    // The limits of a cluster's options are those of each server.
    setLimit: (limit) => Effect.asVoid(each((pool) => pool.setLimit(limit))),
    warmUp: (count) =>
      Effect.suspend(() => {
        const { primary } = cluster
        return primary === undefined ? Effect.fail(nobody(cluster)) : primary.bare.warmUp(count)
      })
  }
}

/** The primary for reads: they are no writes of anybody. */
export const forReads =
  (cluster: Cluster, balanced: BalancedPool<LentConnection>): Cluster["withPrimary"] => (f, options) =>
    Effect.suspend(() => {
      const borrow = balanced.withConnection(f, options)
      return cluster.primary === undefined ? whenThereIsOne(cluster, borrow) : borrow
    })

export const viewOf = (cluster: Cluster, fiber: AnyFiber): View =>
  fiber.getRef(CurrentSession)?.viewOf(cluster) ?? cluster.common

// A read inside the lease must see what the lease has done so far, and one after it all of it.
const begin = (view: View): void => {
  view.writing++
}

const end = (cluster: Cluster, view: View): void => {
  view.writing--
  view.written++
  view.writtenAt = cluster.now()
}

/** A lease that failed may be the first to know that the primary is gone, or is none any more. */
const suspect = (cluster: Cluster, lease: LentConnection | undefined): void => {
  const { primary } = cluster
  if (primary === undefined) return
  if (lease === undefined || lease.session.isDead || lease.session.wire.hasRefusedWrite) {
    cluster.proberOf(primary).nudge()
  }
}

/** A failover takes a moment, in which a caller may as well wait as in a queue. */
const whenThereIsOne = <A, E, R>(
  cluster: Cluster,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | PoolError, R> =>
  Effect.flatMap(
    Effect.timeoutOption(cluster.hasPrimary.await, cluster.places[0]!.node.bare.config.acquireTimeout),
    (found): Effect.Effect<A, E | PoolError, R> => found._tag === "Some" ? effect : Effect.fail(nobody(cluster))
  )

export const nobody = (cluster: Cluster): PoolError =>
  new PoolError({
    pool: cluster.name,
    reason: new PoolPaused({
      because: `the cluster has no primary: ${cluster.why === "" ? "it does not answer" : cluster.why}`
    })
  })
