/**
 * The beliefs about the connections: the only writer of when each proved itself, and of the numbers that call a proof in
 * doubt.
 *
 * - the *fence* rises when a connection proves dead: whatever proved itself before must do so again. It stays where such
 *   proofs were all for nothing lately
 * - the *generation* rises when all are to be replaced: a connection of an older one is not lent again
 */
import type { Connector } from "../../Connector.ts"
import type { Mark } from "../base/mark.ts"
import { RecentShare } from "../base/recentShare.ts"
import type { Pooled } from "../line/lease.ts"

/** So many proofs of doubted connections must have been seen lately before a death is believed to be that connection's own. */
const proofsToTrust = 20

/** So many deaths in a row are never believed to have nothing to do with each other. */
const deathsToDoubt = 10

export class Trust {
  private readonly mark: Mark
  private readonly freshnessWindow: number
  private readonly canValidate: boolean
  private readonly areIndependent: boolean
  /** When any connection proved itself last. */
  private lastProof = -Infinity
  private fenceNumber = 0
  private generationNumber = 0
  private proofs = 0
  private lastProofFailed = false
  private staleSince = -1
  private goodAt = -Infinity
  /** How the connections proved themselves lately that were doubted because another had died. */
  private readonly doubts = new RecentShare()
  /** Connections in a row that proved dead, while no lease went well. */
  private deadInARow = 0

  constructor(
    mark: Mark,
    freshnessWindow: number,
    { areIndependent, validate }: Pick<Connector<any, any>, "areIndependent" | "validate">
  ) {
    this.mark = mark
    this.freshnessWindow = freshnessWindow
    this.canValidate = validate !== undefined
    this.areIndependent = areIndependent === true
  }

  get fence(): number {
    return this.fenceNumber
  }

  get generation(): number {
    return this.generationNumber
  }

  /** How many connections prove themselves for a waiter, who gets one if it passes. */
  get validating(): number {
    return this.proofs
  }

  /** Whether the last connection that was to prove itself for a waiter has failed to. */
  get isProofDoubted(): boolean {
    return this.lastProofFailed
  }

  /**
   * Whether a connection may be lent without a validation: it proved itself a moment ago, and nothing has happened since
   * that makes us doubt all of them. Without `validate` only such a doubt counts.
   */
  isFresh(connection: Pooled, now: number): boolean {
    return this.isUndoubted(connection) && (now - connection.provenAt < this.freshnessWindow || !this.canValidate)
  }

  /** Whether any connection may be fresh: where none has proved itself lately, none need be looked at. */
  mayAnyBeFresh(now: number): boolean {
    return now - this.lastProof < this.freshnessWindow || !this.canValidate
  }

  /** None of those that were idle then is fresh, nor will be before it is no longer idle. */
  noneIsFresh(idled: number): void {
    this.staleSince = idled
  }

  /** Whether it is known that no idle connection is fresh. */
  isNoneFresh(idled: number): boolean {
    return this.staleSince === idled
  }

  /** Whether no other connection has proved dead since it proved itself. */
  isUndoubted(connection: Pooled): boolean {
    return connection.fence === this.fenceNumber
  }

  /** Whether it was opened before all were to be replaced. */
  isSuperseded(connection: Pooled): boolean {
    return connection.generation !== this.generationNumber
  }

  /** It worked just now; the doubts since `fence` was noted are not answered by it. */
  proved(connection: Pooled, now: number, fence: number = this.fenceNumber): void {
    this.lastProof = connection.provenAt = now
    connection.fence = fence
  }

  /** A lease ended well: that proves the connection, unless a doubt arose after it was lent. */
  usedWell(connection: Pooled, now: number): void {
    this.goodAt = now
    if (this.isUndoubted(connection)) this.lastProof = connection.provenAt = now
  }

  /** When a lease last went well. */
  get lastGoodAt(): number {
    return this.goodAt
  }

  /**
   * One connection, in use since then, proved dead: every other must prove itself before it is lent, unless those that were
   * doubted for such a reason lately have mostly proved well. Then each dies of its own, and proofs for nothing would only
   * cost connections.
   */
  died(now: number, inUseSince: number): void {
    if (this.areIndependent) return
    this.deadInARow = this.goodAt < inUseSince ? this.deadInARow + 1 : 0
    const isOwn = this.deadInARow < deathsToDoubt && this.doubts.isMostlyGood(now, proofsToTrust, 0.5)
    if (!isOwn) this.raiseFence()
  }

  /** A connection that was doubted because another had died has proved itself, or failed to. */
  doubtEnded(now: number, isProven: boolean): void {
    this.doubts.note(now, isProven)
  }

  /** Every connection that is open must prove itself before it is lent. */
  raiseFence(): void {
    this.fenceNumber++
  }

  nextGeneration(): number {
    this.mark.set()
    return ++this.generationNumber
  }

  beginProof(): void {
    this.proofs++
  }

  endProof(isProven: boolean): void {
    this.proofs--
    this.lastProofFailed = !isProven
    this.mark.set()
  }
}
