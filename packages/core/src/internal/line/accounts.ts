/**
 * The share that each `fairKey` has had, as virtual time: milliseconds that its callers held connections, divided by its
 * weight.
 *
 * The key that has had least goes first. A key that was silent comes back with what it had, but with no more credit than
 * `credit` behind those that were served meanwhile: it can't save up to lock the others out. So many keys at most are
 * known, and one that is silent for long is forgotten: a million keys cost no more than ten thousand.
 */

import type { KeyStats } from "../model/traffic.ts"

/** Milliseconds of virtual time that a key which was silent may be behind the others. */
export const credit = 200

/** How many keys are told apart. Those that come when so many are busy share one account. */
const most = 10_000

/** After so many milliseconds of silence a key is forgotten. */
const forgottenAfter = 60_000

export class Account {
  readonly key: string | undefined
  readonly weight: number
  /** Virtual time had so far. */
  time = 0
  /** How much of the pool its callers hold. */
  lent = 0
  /** Its leases that hold a connection. */
  leases = 0
  /** Its callers that wait. */
  waiting = 0
  /** How long its leases last, as a moving mean. */
  mean = 0
  quietSince = 0
  // Its place among those that are quiet. Written by the list of them alone.
  earlier: Account | undefined = undefined
  later: Account | undefined = undefined
  isListed = false
  /** Its callers that wait, by priority. Written by the order alone, which knows their type. */
  readonly flows: [unknown, unknown, unknown] = [undefined, undefined, undefined]

  constructor(key: string | undefined, weight: number) {
    this.key = key
    this.weight = weight
  }

  get isQuiet(): boolean {
    return this.lent === 0 && this.waiting === 0
  }
}

const loadOf = ({ leases, waiting }: Account): number => waiting + leases

/** Accounts that are quiet, in the order in which they became so. */
class QuietList {
  oldest: Account | undefined = undefined
  private youngest: Account | undefined = undefined

  add(account: Account, now: number): void {
    this.remove(account)
    account.quietSince = now
    account.isListed = true
    account.earlier = this.youngest
    if (this.youngest === undefined) this.oldest = account
    else this.youngest.later = account
    this.youngest = account
  }

  remove(account: Account): void {
    if (!account.isListed) return
    if (account.earlier === undefined) this.oldest = account.later
    else account.earlier.later = account.later
    if (account.later === undefined) this.youngest = account.earlier
    else account.later.earlier = account.earlier
    account.earlier = undefined
    account.later = undefined
    account.isListed = false
  }
}

export class Accounts {
  private readonly quiet = new QuietList()
  private readonly accounts = new Map<string, Account>()
  private readonly weightOf: (key: string) => number
  /** Callers without a key. */
  private readonly keyless: Account
  /** Callers whose key is one too many. */
  private readonly others: Account
  /** The virtual time of the key that was served last, when it was served. */
  private served = 0
  private readonly now: () => number

  constructor(weightOf: (key: string) => number, now: () => number) {
    this.weightOf = weightOf
    this.now = now
    this.keyless = new Account(undefined, 1)
    this.others = new Account("other", 1)
  }

  get size(): number {
    return this.accounts.size
  }

  /** The account of a key, if it is known. */
  known(key: string | undefined): Account | undefined {
    return key === undefined ? this.keyless : this.accounts.get(key)
  }

  /** The account of a caller that enters now, or gets a connection. */
  of(key: string | undefined, now: number): Account {
    const account = key === undefined ? this.keyless : this.find(key, now)
    if (account.isQuiet) {
      this.quiet.remove(account)
      account.time = Math.max(account.time, this.served - credit)
    }
    return account
  }

  /** A connection goes to one of its callers: it is charged what its leases cost on the average, till one knows more. */
  lend(account: Account, units: number): number {
    // It was quiet for a moment if this caller was the only one that waited.
    this.quiet.remove(account)
    if (account.time > this.served) this.served = account.time
    const charged = account.mean / account.weight
    account.time += charged
    account.lent += units
    account.leases++
    return charged
  }

  /** One of its leases has ended. */
  end(account: Account, held: number, charged: number, units: number): void {
    account.time += held / account.weight - charged
    account.mean += (held - account.mean) * (account.mean === 0 ? 1 : 0.1)
    account.lent -= units
    account.leases--
    this.rest(account)
  }

  /** To be called when it may have become quiet. */
  rest(account: Account): void {
    if (account.isQuiet && account.key !== undefined && account !== this.others) this.quiet.add(account, this.now())
  }

  /** The keys with the most callers that wait or hold connections, and the rest of them together as `other`. */
  busiest(count: number): ReadonlyArray<KeyStats> {
    // The least busy of those that are shown is at the end: most keys are compared with it alone.
    const shown: Array<Account> = []
    const rest = { pending: 0, used: 0 }
    const drop = (account: Account | undefined): void => {
      rest.pending += account?.waiting ?? 0
      rest.used += account?.leases ?? 0
    }
    for (const account of [this.keyless, ...this.accounts.values()]) {
      if (account.isQuiet) continue
      if (shown.length === count && loadOf(account) <= loadOf(shown[count - 1]!)) {
        drop(account)
        continue
      }
      const place = shown.findIndex((other) => loadOf(other) < loadOf(account))
      shown.splice(place < 0 ? shown.length : place, 0, account)
      if (shown.length > count) drop(shown.pop())
    }
    drop(this.others)
    const keys = shown.map(({ key, leases, waiting }): KeyStats => ({ key, pending: waiting, used: leases }))
    return rest.pending + rest.used === 0 ? keys : [...keys, { key: "other", ...rest }]
  }

  private find(key: string, now: number): Account {
    this.forget(now)
    const known = this.accounts.get(key)
    if (known !== undefined) return known
    if (this.accounts.size >= most) this.drop(this.quiet.oldest)
    if (this.accounts.size >= most) return this.others
    const account = new Account(key, this.weightOf(key))
    this.accounts.set(key, account)
    return account
  }

  /** Forgets two at most, so that a newcomer never pays for a crowd. */
  private forget(now: number): void {
    for (let tries = 0; tries < 2; tries++) {
      const { oldest } = this.quiet
      if (oldest === undefined || now - oldest.quietSince < forgottenAfter) return
      this.drop(oldest)
    }
  }

  private drop(account: Account | undefined): void {
    if (account === undefined) return
    this.quiet.remove(account)
    this.accounts.delete(account.key!)
  }
}
