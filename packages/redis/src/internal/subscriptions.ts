/**
 * The topics that one connection to a server listens to.
 */

export type SubscriptionKind = "subscribe" | "psubscribe" | "ssubscribe"

export class Subscriptions {
  private readonly names: Readonly<Record<SubscriptionKind, Set<string>>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set()
  }
  private count = 0

  /** Whether there are any. Then messages may come between the answers. */
  get isListening(): boolean {
    return this.count > 0
  }

  of(kind: SubscriptionKind): ReadonlySet<string> {
    return this.names[kind]
  }

  add(kind: SubscriptionKind, name: string): void {
    this.change(kind, (names) => names.add(name))
  }

  delete(kind: SubscriptionKind, name: string): void {
    this.change(kind, (names) => names.delete(name))
  }

  private change(kind: SubscriptionKind, f: (names: Set<string>) => void): void {
    const names = this.names[kind]
    this.count -= names.size
    f(names)
    this.count += names.size
  }
}
