/**
 * The least that one line of work, such as a request, must see: its own writes, and nothing older than it has read.
 */
import * as Context from "effect/Context"
import * as Position from "./position.ts"
import type { Node } from "./node.ts"

/** A session's view of one cluster. */
export class View {
  /** Leases of the primary that have not ended. */
  writing = 0
  /** Leases of the primary that have ended, and how many of them `token` is known to cover. */
  written = 0
  covered = 0
  /** When the last of them ended, in milliseconds of the cluster's clock. */
  writtenAt = 0
  token: Position.Token | undefined = undefined
  /** Until when the token matters, in milliseconds of the cluster's clock. */
  expiresAt = 0
  /** Where it read last, when, and since which start of that server. */
  last: { readonly node: Node; readonly at: number; readonly startedAt: string } | undefined = undefined
  /** Given from outside, and not looked at yet. */
  given: ReadonlyArray<string>
  /** Whether its reads never step back. Callers without a session share a view that has no order. */
  readonly isOrdered: boolean

  constructor(isOrdered: boolean, given: ReadonlyArray<string> = []) {
    this.isOrdered = isOrdered
    this.given = given
  }

  get mayHaveWritten(): boolean {
    return this.written > this.covered || this.writing > 0
  }

  /** Takes in a place that must be seen. */
  demand(token: Position.Token, expiresAt: number): void {
    this.token = this.token === undefined || this.token.systemId !== token.systemId
      ? token
      : Position.later(this.token, token)
    this.expiresAt = Math.max(this.expiresAt, expiresAt)
  }

  /** The place that must be seen now. */
  needed(now: number): Position.Token | undefined {
    if (this.token !== undefined && now >= this.expiresAt) this.token = undefined
    return this.token
  }
}

export class Session {
  private readonly views = new Map<object, View>()
  private readonly given: ReadonlyArray<string>

  constructor(given: ReadonlyArray<string> = []) {
    this.given = given
  }

  viewOf(cluster: object): View {
    let view = this.views.get(cluster)
    if (view === undefined) this.views.set(cluster, view = new View(true, this.given))
    return view
  }
}

export const CurrentSession = Context.Reference<Session | undefined>("@effect-pools/postgres/ClusterSession", {
  defaultValue: (): Session | undefined => undefined
})
