/**
 * The part of a cluster in degradation: from level 2 on equal reads are run once, and replicas may be staler.
 *
 * Both give the servers less to do while it matters. A session still sees what it has written, since no replica serves reads
 * that is as far behind as `tokenLifetime`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Node } from "./node.ts"
import type { ClusterSettings } from "./settings.ts"

type Servers = ReadonlyArray<{ readonly node: Node }>

/** From this level of degradation on. */
const from = 2

/** Keeps the level of each server's pool at hand: a read must not ask for it. */
export const watch = (node: Node): Effect.Effect<unknown, never, Scope.Scope> =>
  Effect.forkScoped(Stream.runForEach(node.bare.degradationChanges, (level) =>
    Effect.sync(() => {
      node.level = level
    })))

/** Whether the pool of any server gives up so much. */
const isDegraded = (servers: Servers): boolean => servers.some(({ node }) => node.level >= from)

/** Whether equal reads of this text are run once, where nobody says whether they are. */
export const joinsEqual = (servers: Servers, text: string): boolean => isDegraded(servers) && !givesItsOwn.test(text)

/** Calls of functions whose answer is each caller's own, as far as a read-only transaction admits them. */
const givesItsOwn = /\b(?:random\w*|gen_\w+|uuid\w+|clock_timestamp|timeofday|pg_(?:try_)?advisory\w+)\s*\(/i

/**
 * How far behind a replica may be that serves reads: normally `maxLag`, else half of the way
 * from there to `tokenLifetime`, and three times `maxLag` at most.
 */
export const maxLagOf = (servers: Servers, { maxLag, tokenLifetime }: ClusterSettings): number =>
  isDegraded(servers) ? Math.min(3 * maxLag, (maxLag + tokenLifetime) / 2) : maxLag
