/**
 * A read's stay at a replica, which ends there when the replica does.
 */
import type { LeaseOptions } from "@effect-pools/core/ConnectionPool"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { LentConnection } from "../lent.ts"

type Onward = NonNullable<LeaseOptions["onward"]>
type Recall = Parameters<Onward["waits"]>[0]

/** Ends a read's wait at a replica. It never reaches the caller, who is served elsewhere. */
export class SentOn extends Data.TaggedError("SentOn") {}

/** One for all, since nobody sees it. */
const sentOn = Effect.fail(new SentOn())

export class Stay implements Onward {
  readonly elsewhere = 0
  readonly left = Infinity
  /** The connection that it has. */
  lease: LentConnection | undefined = undefined
  /** Whether another server might serve it. */
  readonly mayLeave: () => boolean
  private recall: Recall | undefined = undefined

  constructor(mayLeave: () => boolean) {
    this.mayLeave = mayLeave
  }

  waits(recall: Recall): void {
    this.recall = recall
  }

  /** The replica's probe will tell. */
  broke(): void {}

  begin(lease: LentConnection): void {
    this.lease = lease
    this.recall = undefined
  }

  /** Ends the wait for a connection, if it has none. */
  sendOn(): void {
    this.recall?.(sentOn)
  }

  /** Ends what runs: its statement fails as one whose connection is lost. */
  end(why: string): void {
    this.lease?.session.hangUp(new Error(why))
  }
}
