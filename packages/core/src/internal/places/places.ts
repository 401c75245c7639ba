/**
 * Where every connection of a pool is, and how many there are: the only writer of these lists and numbers.
 *
 * A connection counts against the limit from the beginning of its dial to the end of its close. From its arrival to the
 * beginning of its close Effect's Pool owns it (`hold.ts`).
 */
import type * as Effect from "effect/Effect"
import type { RetireReason } from "../../PoolEvent.ts"
import { type Lease, Pooled } from "../line/lease.ts"
import type { Line } from "../line/line.ts"
import type { PoolConfig } from "../model/config.ts"
import type { ConnectionState } from "../model/connection.ts"
import type { Mark } from "../base/mark.ts"
import type { ProcessHold } from "../base/processHold.ts"
import type { Hold } from "./hold.ts"
import { FullServer } from "./fullServer.ts"
import { Limits } from "./limits.ts"

/** A caller that waits until so many connections are open. */
export interface WarmUp {
  readonly target: number
  readonly resume: (effect: Effect.Effect<number, any>) => void
}

export class Places {
  /** Every connection that counts against the limit. */
  readonly connections: ReadonlySet<Pooled>
  /** The same in no order: a lease goes through it faster. */
  readonly list: ReadonlyArray<Pooled>
  /** Idle connections by the time they became idle: the last one is the warmest and is lent first. Some rest in the hold. */
  readonly idle: ReadonlyArray<Pooled>
  /** Connections lent by shared leases. */
  readonly sharing: ReadonlyArray<Pooled>
  /** Callers for whom the floor is raised. */
  readonly warmUps: ReadonlySet<WarmUp>
  /** The bounds of how many there may be. */
  readonly limits: Limits
  readonly fullServer = new FullServer()
  private readonly config: PoolConfig
  private readonly hold: Hold
  private readonly mark: Mark
  private readonly line: Line
  private readonly processHold: ProcessHold | undefined
  private readonly all = new Set<Pooled>()
  private readonly listed: Array<Pooled> = []
  private readonly idling: Array<Pooled> = []
  private readonly shared: Array<Pooled> = []
  private readonly raised = new Set<WarmUp>()
  private openingNumber = 0
  private checkingNumber = 0
  private usedNumber = 0
  private closingNumber = 0
  private dueNumber = 0
  private keepsFloor = true
  private lastId = 0
  private arrivals = 0

  constructor({ config, hold, line, mark, processHold }: {
    readonly config: PoolConfig
    readonly hold: Hold
    readonly mark: Mark
    readonly line: Line
    readonly processHold: ProcessHold | undefined
  }) {
    this.config = config
    this.hold = hold
    this.mark = mark
    this.line = line
    this.processHold = processHold
    this.limits = new Limits(config.maxConnections, mark)
    this.connections = this.all
    this.list = this.listed
    this.idle = this.idling
    this.sharing = this.shared
    this.warmUps = this.raised
  }

  get opening(): number {
    return this.openingNumber
  }

  get checking(): number {
    return this.checkingNumber
  }

  get used(): number {
    return this.usedNumber
  }

  get closing(): number {
    return this.closingNumber
  }

  /** Those of `idle` that are past their time and wait for their replacement. */
  get due(): number {
    return this.dueNumber
  }

  /** How many there may be at most. */
  get limit(): number {
    return this.limits.limit
  }

  /** Connections that are open and not on their way out. */
  get live(): number {
    return this.all.size - this.openingNumber - this.closingNumber
  }

  /** How many connections are kept open whatever the load. */
  get floor(): number {
    return Math.min(this.wanted, this.limit)
  }

  /** How many there would be whatever the load, if nothing limited them. */
  get wanted(): number {
    if (!this.keepsFloor) return 0
    let floor = this.config.minConnections
    for (const { target } of this.raised) floor = Math.max(floor, target)
    return floor
  }

  /** Counts the connections that became idle. */
  get idled(): number {
    return this.arrivals
  }

  /** The number that the next connection will have. */
  get nextId(): number {
    return this.lastId + 1
  }

  /** Takes a place for a connection that is to be dialled. */
  add(generation: number, now: number): Pooled {
    const connection = new Pooled(++this.lastId, generation, now)
    this.all.add(connection)
    connection.place = this.listed.push(connection) - 1
    this.openingNumber++
    this.processHold?.begin()
    return connection
  }

  /** A connection is open: Effect's Pool takes it in, and it is checked for a moment. */
  arrive(connection: Pooled): void {
    this.hold.enrol(connection)
    this.move(connection, "checking")
    this.mark.set()
  }

  /** Lends a connection that is not idle, or one that the lease shares with others. */
  lend(connection: Pooled, lease: Lease): void {
    connection.holders.push(lease)
    if (connection.holders.size > 1) return
    this.move(connection, "used")
    if (lease.isShared) this.shared.push(connection)
  }

  /** A lease leaves its connection; `true` if nobody else shares it. */
  part(connection: Pooled, lease: Lease): boolean {
    connection.holders.remove(lease)
    if (connection.holders.size > 0) {
      // There is room for one more.
      if (this.line.isSharerFirst) this.mark.set()
      return false
    }
    if (lease.isShared) remove(this.shared, connection)
    return true
  }

  /** Those who share a connection would rather each have one of their own: one more is opened, if there is room. */
  crowded(): void {
    if (this.all.size < this.limit) this.mark.set()
  }

  check(connection: Pooled): void {
    this.move(connection, "checking")
  }

  /** Takes a connection that is to be used or checked out of the idle ones. */
  takeIdle(connection: Pooled): Pooled {
    remove(this.idling, connection)
    if (connection.loan === undefined) this.hold.borrow(connection)
    return connection
  }

  /** Adds a connection to the idle ones. */
  toIdle(connection: Pooled, since: number): void {
    const { idling } = this
    connection.idleSince = since
    this.arrivals++
    this.move(connection, "idle")
    let place = idling.length
    while (place > 0 && idling[place - 1]!.idleSince > since) place--
    if (place === idling.length) idling.push(connection)
    else idling.splice(place, 0, connection)
    // It is news to those who wait and to a drain. A lease that nobody waits for must cost no dispatch.
    if (this.line.size > 0 || !this.keepsFloor) this.mark.set()
  }

  /** An idle connection is past its time, but is needed until it is replaced. */
  markDue(connection: Pooled): void {
    connection.isDue = true
    this.dueNumber++
    this.mark.set()
  }

  /** Sends a connection to its end. It goes by the exit door. */
  leave(connection: Pooled, because: RetireReason): void {
    connection.leavesBecause = because
    this.hold.leave(connection)
  }

  /** The time to live ends what rests and is past its idle time. */
  expire(): void {
    this.hold.expire()
  }

  /** A connection begins its close, or a dial its end. */
  close(connection: Pooled): void {
    if (connection.state === "idle") remove(this.idling, connection)
    this.move(connection, "closing")
    this.mark.set()
  }

  /** A close has ended, and the place is free. */
  remove(connection: Pooled): void {
    if (!this.all.delete(connection)) return
    this.closingNumber--
    this.mark.set()
    this.processHold?.end()
    const last = this.listed.pop()!
    if (last === connection) return
    this.listed[connection.place] = last
    last.place = connection.place
  }

  raiseFloor(warmUp: WarmUp): void {
    this.raised.add(warmUp)
    this.mark.set()
    this.processHold?.begin()
  }

  lowerFloor(warmUp: WarmUp): void {
    if (this.raised.delete(warmUp)) this.processHold?.end()
  }

  /** From now on no connection is kept open for its own sake: the pool ends. */
  giveUpFloor(): void {
    this.keepsFloor = false
    this.mark.set()
  }

  /**
   * Lets rest what has been idle so long that it must prove itself before its next lease anyway, as far as the minimum can
   * do without it. Nothing goes to rest while a dial is under way: Effect's Pool lends what rests before it takes in what
   * arrives.
   */
  restSurplus(now: number): void {
    if (this.opening > 0) return
    const { config: { freshnessWindow, idleTimeout }, hold } = this
    const restAfter = Math.min(Math.max(freshnessWindow, 1_000), idleTimeout / 2)
    let surplus = this.live - hold.resting - this.floor
    for (const connection of this.idling) {
      if (surplus <= 0 || now < connection.idleSince + restAfter) return
      if (connection.loan === undefined || connection.isDue) continue
      hold.rest(connection)
      surplus--
    }
  }

  /** Keeps on loan as many as the minimum needs, so that the time to live can't end them. */
  keepFloor(): void {
    const { hold, idling } = this
    if (hold.resting === 0) return
    for (let i = idling.length - 1; hold.resting > 0 && this.live - hold.resting < this.floor; i--) {
      const connection = idling[i]!
      if (connection.loan === undefined) hold.borrow(connection)
    }
  }

  /** The one place where a connection changes its state, so that the numbers always add up. */
  private move(connection: Pooled, to: ConnectionState): void {
    if (connection.isDue) {
      connection.isDue = false
      this.dueNumber--
    }
    if (this.processHold !== undefined) this.keepProcess(this.processHold, connection.state, to)
    this.count(connection.state, -1)
    connection.state = to
    this.count(to, 1)
  }

  /** A connection that is not idle is a reason for the process to live. */
  private keepProcess(processHold: ProcessHold, from: ConnectionState, to: ConnectionState): void {
    if (to !== "idle") processHold.begin()
    if (from !== "idle") processHold.end()
  }

  private count(state: ConnectionState, by: 1 | -1): void {
    switch (state) {
      case "idle":
        return
      case "used":
        this.usedNumber += by
        return
      case "checking":
        this.checkingNumber += by
        return
      case "opening":
        this.openingNumber += by
        return
      case "closing":
        this.closingNumber += by
        return
    }
  }
}

const remove = (from: Array<Pooled>, connection: Pooled): void => {
  // Most often it is the last, and then nothing need be allocated.
  if (from[from.length - 1] === connection) from.pop()
  else from.splice(from.indexOf(connection), 1)
}
