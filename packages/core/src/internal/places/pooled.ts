/**
 * One connection as the pool knows it, from the start of its dial to the end of its close.
 */
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { ConnectionState } from "../../ConnectionPool.ts"
import type { RetireReason } from "../../PoolEvent.ts"
import { LeaseList } from "../line/leaseList.ts"

export class Pooled {
  readonly id: number
  /** Which `retireAll` its dial came after. */
  readonly generation: number
  /** Closing it closes the connection. */
  readonly scope: Scope.Closeable = Scope.makeUnsafe()
  state: ConnectionState = "opening"
  /** The connection itself, once open; only the connector knows its type. */
  value: any = undefined
  /** The dial that opens it; a close waits for its end, so that a late connection can't escape. */
  dial: Fiber.Fiber<unknown, unknown> | undefined = undefined
  openedAt: number
  expiresAt = Infinity
  idleSince = 0
  /** When it last proved that it works, and the fence that held at that moment. */
  provenAt = 0
  fence = 0
  /** Who holds it: one, or several that share it, with the one that has had it longest first. */
  readonly holders = new LeaseList()
  uses = 0
  errors = 0
  /** Set when it is to be retired as soon as its borrower gives it back. */
  retireBecause: RetireReason | undefined = undefined
  /** Set while it is idle past its time but needed: it is retired when its replacement is open. */
  isDue = false
  /** Set when the connector reported its end. */
  isBroken = false
  /** The cause that it reported. */
  endedBy: unknown = undefined
  /** Whether Effect's Pool owns it: from its arrival until it leaves by the exit door. Written by the hold alone. */
  isHeld = false
  /** The scope that the engine has it from Effect's Pool in; `undefined` while it rests there. Written by the hold alone. */
  loan: Scope.Closeable | undefined = undefined
  /** Why it leaves; without a reason its time to live has ended it. */
  leavesBecause: RetireReason | undefined = undefined
  constructor(id: number, generation: number, now: number) {
    this.id = id
    this.generation = generation
    this.openedAt = now
  }
}
