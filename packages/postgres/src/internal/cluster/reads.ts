/**
 * Where a read goes.
 */
import { PoolError } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { ClusterError, InvalidToken, NoFreshReplica } from "../../ClusterError.ts"
import type { LentConnection } from "../lent.ts"
import { CurrentFlight } from "./flights.ts"
import type { Cluster } from "./cluster.ts"
import type { Consistency } from "./model.ts"
import type { Node } from "./node.ts"
import * as Position from "./position.ts"
import type { View } from "./session.ts"
import { SentOn, Stay } from "./stay.ts"

export interface Wish {
  readonly consistency: Consistency
  readonly maxWait: number
  readonly label: string | undefined
}

/** How a read is run on a server. */
export type Run<A, E, R> = (lease: LentConnection, isOnPrimary: boolean) => Effect.Effect<A, E, R>

/** Before the primary is asked again that has just become another, in milliseconds. */
const pause = 5

/**
 * Tells of an error whether the standby let the read down: `cancelled` what it ran, since the primary's changes were in
 * conflict with it, or was `lost`.
 */
export type LetDown<E> = (error: E) => "cancelled" | "lost" | undefined

/** Runs a read where it may run, and once more elsewhere when its standby let it down. */
export const read = <A, E, R>(
  cluster: Cluster,
  view: View,
  wish: Wish,
  run: Run<A, E, R>,
  letDown: LetDown<E>
): Effect.Effect<A, E | PoolError | ClusterError, R> =>
  Effect.suspend(() => {
    if (wish.consistency === "primary") return onPrimary(cluster, view, wish, run)
    return Effect.flatMap(find(cluster, view, wish), ({ node, waited }) => {
      const onTheOne = instead(cluster, view, wish, waited, run)
      if (node === undefined) return onTheOne
      return orElse(onReplica(cluster, view, wish, node, run), node, letDown, (why) => {
        // The conflict would be the same on another replica.
        if (why === "cancelled") return onTheOne
        return Effect.withFiber((fiber) => {
          // Those who joined a flight chose the replica that it began on: only the primary has what each of them must see.
          const isShared = fiber.getRef(CurrentFlight) !== undefined
          if (isShared) return onTheOne
          return Effect.flatMap(find(cluster, view, wish, node), ({ node: other, waited: again }) =>
            other === undefined
              ? instead(cluster, view, wish, waited + again, run)
              : orElse(onReplica(cluster, view, wish, other, run), other, letDown, () => onTheOne))
        })
      })
    })
  })

/** Goes on elsewhere with a read that its replica did not take, or that it let down. */
const orElse = <A, E, R, E2, R2>(
  read: Effect.Effect<A, E | SentOn | PoolError, R>,
  node: Node,
  letDown: LetDown<E>,
  elsewhere: (why: "cancelled" | "lost") => Effect.Effect<A, E2, R2>
): Effect.Effect<A, E | PoolError | E2, R | R2> =>
  Effect.catch(read, (error): Effect.Effect<A, E | PoolError | E2, R2> => {
    if (error instanceof SentOn) return elsewhere("lost")
    if (isRefusal(error, node)) return elsewhere("lost")
    const why = letDown(error as E)
    return why === undefined ? Effect.fail(error) : elsewhere(why)
  })

const anyOf = ({ nodes }: Cluster, except?: Node): Node | undefined =>
  least(nodes.filter((node) => node.isIn && node !== except))

interface Found {
  /** Without one the read goes to the primary. */
  readonly node: Node | undefined
  readonly waited: number
}

/** A replica that has what must be seen, other than one that let the read down; waits for one if need be. */
const find = (cluster: Cluster, view: View, wish: Wish, except?: Node): Effect.Effect<Found, ClusterError> =>
  Effect.suspend(() => {
    if (wish.consistency === "eventual") {
      return Effect.succeed({ node: anyOf(cluster, except), waited: 0 })
    }
    const needsToken = view.mayHaveWritten || view.given.length > 0
    const node = needsToken ? undefined : choose(cluster, view, except)
    return node === undefined ? search(cluster, view, wish, except) : Effect.succeed({ node, waited: 0 })
  })

const search = Effect.fnUntraced(function*(
  cluster: Cluster,
  view: View,
  { maxWait }: Wish,
  except: Node | undefined
): Effect.fn.Return<Found, ClusterError> {
  const since = cluster.now()
  const left = () => since + maxWait - cluster.now()
  // Without a primary that answers nobody knows what must be seen.
  const known = yield* within(settle(cluster, view), maxWait)
  if (known === undefined) return { node: undefined, waited: cluster.now() - since }
  const node = choose(cluster, view, except)
  if (node !== undefined || left() <= 0 || anyOf(cluster, except) === undefined) {
    return { node, waited: cluster.now() - since }
  }
  const found = yield* Effect.timeoutOption(arrival(cluster, view, except), left())
  return { node: Option.getOrUndefined(found), waited: cluster.now() - since }
})

/** Waits for a replica that has what must be seen; `undefined` when there is none to wait for. */
const arrival = (cluster: Cluster, view: View, except: Node | undefined): Effect.Effect<Node | undefined> =>
  Effect.callback((resume) => {
    const { last } = view
    if (view.isOrdered && last !== undefined && floorOf(cluster, last) === undefined) {
      // Either tells how far the session has read.
      cluster.proberOf(last.node).nudge()
      if (cluster.primary !== undefined) cluster.proberOf(cluster.primary).nudge()
    }
    const leave = cluster.wait(() => {
      const node = choose(cluster, view, except)
      if (node === undefined && anyOf(cluster, except) !== undefined) return false
      resume(Effect.succeed(node))
      return true
    })
    return Effect.sync(leave)
  })

const within = <A, E>(effect: Effect.Effect<A, E>, millis: number): Effect.Effect<true | undefined, E> =>
  Effect.map(
    Effect.timeoutOption(effect, Math.max(millis, 1)),
    (done) => done._tag === "Some" ? true : undefined
  )

/** Finds out what must be seen: what was given, and where the primary stands after the writes of the session. */
export const settle = Effect.fnUntraced(function*(cluster: Cluster, view: View): Effect.fn.Return<void, ClusterError> {
  if (view.given.length > 0) yield* takeGiven(cluster, view)
  if (!view.mayHaveWritten) return
  const { primary } = cluster
  if (primary === undefined) {
    yield* cluster.hasPrimary.await
    return yield* settle(cluster, view)
  }
  const { written } = view
  const before = cluster.now()
  yield* cluster.proberOf(primary).fresh
  const { failures, sample } = primary
  if (cluster.primary !== primary || failures > 0 || sample === undefined || sample.at < before) {
    // One that does not answer is not asked the more often for being waited for.
    yield* Effect.sleep(failures > 0 ? cluster.intervalOf(primary) : pause)
    return yield* settle(cluster, view)
  }
  const { lsn, systemId, timeline } = sample
  view.demand({ lsn, systemId, timeline }, cluster.now() + cluster.settings.tokenLifetime)
  view.covered = Math.max(view.covered, written)
})

/** A token from outside is believed only as far as the primary has come. */
const takeGiven = Effect.fnUntraced(function*(cluster: Cluster, view: View): Effect.fn.Return<void, ClusterError> {
  const tokens = view.given.map(Position.decode)
  const refused = (because: InvalidToken["because"]) =>
    new ClusterError({ pool: cluster.name, reason: new InvalidToken({ because }) })
  for (const token of tokens) {
    if (token === undefined) return yield* refused("malformed")
    if (cluster.systemId !== undefined && token.systemId !== cluster.systemId) return yield* refused("foreign")
    if (isAhead(cluster, token)) {
      // The token may be younger than what was last heard of the primary.
      yield* cluster.askAll
      if (isAhead(cluster, token)) return yield* refused("future")
    }
    view.demand(token, cluster.now() + cluster.settings.tokenLifetime)
  }
  view.given = []
})

/** Nobody knows any more how far an older timeline went: writes that did not reach the new primary are lost. */
const isAhead = ({ primary, timeline }: Cluster, token: Position.Token): boolean =>
  primary?.sample !== undefined &&
  (token.timeline > timeline || (token.timeline === timeline && token.lsn > primary.sample.lsn))

/** The replica that a session reads from, or another that is at least as far. */
const choose = (cluster: Cluster, view: View, except?: Node): Node | undefined => {
  const needed = view.needed(cluster.now())
  const last = view.isOrdered ? view.last : undefined
  const fit = cluster.nodes.filter((node) => node.isIn && node !== except && has(node, needed))
  if (last === undefined) return least(fit)
  const own = fit.includes(last.node) && last.node.sample?.startedAt === last.startedAt ? last.node : undefined
  if (own?.failures === 0) return own
  // One whose last probe failed may be frozen: better another one that is as far.
  const floor = floorOf(cluster, last)
  return (floor === undefined ? undefined : least(fit.filter((node) => node !== own && has(node, floor)))) ?? own
}

// A replica that is in follows the timeline of today, in which everything of an older one is past.
const has = ({ sample }: Node, needed: Position.Position | undefined): boolean =>
  needed === undefined || (sample !== undefined && sample.lsn >= needed.lsn)

/**
 * A place beyond what the session has read: where its replica, or the primary, was seen since. A server that was started
 * anew may have gone back.
 */
const floorOf = (
  { primary }: Cluster,
  { at, node, startedAt }: NonNullable<View["last"]>
): Position.Position | undefined => {
  const seen = (candidate: Node | undefined) =>
    candidate?.sample !== undefined && candidate.sample.at >= at ? candidate.sample : undefined
  const own = seen(node)
  return own?.startedAt === startedAt ? own : seen(primary)
}

/** The one with the fewest reads for its size, of equal ones any; one whose last probe failed only for want of another. */
const least = (nodes: ReadonlyArray<Node>): Node | undefined => {
  let best: Node | undefined
  for (const node of nodes) if (best === undefined || isBetter(node, best)) best = node
  return best
}

const isBetter = (a: Node, b: Node): boolean => {
  if ((a.failures === 0) !== (b.failures === 0)) return a.failures === 0
  return a.load < b.load || (a.load === b.load && a.served < b.served)
}

const onReplica = <A, E, R>(
  cluster: Cluster,
  view: View,
  { label }: Wish,
  node: Node,
  run: Run<A, E, R>
): Effect.Effect<A, E | PoolError | SentOn, R> =>
  Effect.suspend(() => {
    const startedAt = node.sample!.startedAt
    const stay = new Stay(() => cluster.nodes.some((other) => other !== node && other.mayRead(cluster.primary)))
    const placed = (lease: LentConnection): Effect.Effect<A, E, R> =>
      Effect.withFiber((fiber) => {
        stay.begin(lease)
        node.served++
        fiber.getRef(CurrentFlight)?.begin(node, false, cluster.now())
        return run(lease, false)
      })
    const staying = Effect.suspend(() => {
      node.stays.add(stay)
      return node.bare.withConnection(placed, { onward: stay, label })
    })
    return Effect.onExitPrimitive(staying, (exit) => {
      node.stays.delete(stay)
      const { lease } = stay
      // A read that never began has seen nothing.
      if (lease !== undefined && view.isOrdered) view.last = { node, at: cluster.now(), startedAt }
      // It may be the first to know that the replica is gone.
      if (Exit.isFailure(exit) && (lease === undefined || lease.session.isDead)) cluster.proberOf(node).nudge()
      return undefined
    })
  })

/** The primary takes the read, if it does not take too many already. */
const instead = <A, E, R>(
  cluster: Cluster,
  view: View,
  wish: Wish,
  waited: number,
  run: Run<A, E, R>
): Effect.Effect<A, E | PoolError | ClusterError, R> =>
  Effect.suspend(() => {
    const { places, settings } = cluster
    if (places.length === 1) return onPrimary(cluster, view, wish, run)
    const { config } = (cluster.primary ?? places[0]!.node).bare
    const most = Math.max(1, Math.floor(settings.primaryShare * config.maxConnections))
    if (cluster.onPrimary >= most) {
      const replicas = cluster.nodes.filter((node) => node !== cluster.primary)
      return Effect.fail(
        new ClusterError({
          pool: cluster.name,
          reason: new NoFreshReplica({
            waited,
            onPrimary: cluster.onPrimary,
            primaryLimit: most,
            replicas: replicas.map((node) => ({ name: node.name, isIn: node.isIn, lag: cluster.lagOf(node) }))
          })
        })
      )
    }
    let isCounted = false
    const counted = Effect.suspend(() => {
      isCounted = true
      cluster.onPrimary++
      return onPrimary(cluster, view, wish, run)
    })
    return Effect.onExitPrimitive(counted, () => {
      if (isCounted) cluster.onPrimary--
      return undefined
    })
  })

const onPrimary = <A, E, R>(
  cluster: Cluster,
  view: View,
  { label }: Wish,
  run: Run<A, E, R>
): Effect.Effect<A, E | PoolError, R> =>
  Effect.suspend(() => {
    let node: Node | undefined
    return Effect.onExitPrimitive(
      cluster.withPrimary((lease) => {
        node = cluster.primary
        if (node !== undefined) node.served++
        return Effect.withFiber((fiber) => {
          fiber.getRef(CurrentFlight)?.begin(node, true, cluster.now())
          return run(lease, true)
        })
      }, { label }),
      () => {
        if (node?.sample !== undefined && view.isOrdered) {
          view.last = { node, at: cluster.now(), startedAt: node.sample.startedAt }
        }
        return undefined
      }
    )
  })

/** Whether the replica's pool refused the read, which then has not begun. */
const isRefusal = (error: unknown, node: Node): boolean => error instanceof PoolError && error.pool === node.bare.name
