/**
 * The least of many by a key that only grows: what has grown meanwhile is put where it belongs when it comes to the top.
 *
 * An item whose key is `undefined` is not wanted any more and leaves when it comes to the top.
 */
/** So many unwanted items cost nothing worth a search. */
const fewest = 1024

export class LazyHeap<Item> {
  private readonly keyOf: (item: Item) => number | undefined
  private readonly leave: (item: Item) => void
  private items: Array<Item> = []
  private keys: Array<number> = []
  /** How many there may be before the unwanted are looked for: they must not pile up below one that stays at the top. */
  private sweepsAt = fewest

  /** `leave` is told of each item that is found unwanted. */
  constructor(keyOf: (item: Item) => number | undefined, leave: (item: Item) => void) {
    this.keyOf = keyOf
    this.leave = leave
  }

  get size(): number {
    return this.items.length
  }

  push(item: Item): void {
    const key = this.keyOf(item)
    if (key === undefined) return this.leave(item)
    if (this.items.length >= this.sweepsAt) this.sweep()
    this.items.push(item)
    this.keys.push(key)
    this.rise(this.items.length - 1)
  }

  /** The item with the least key as it is now. */
  first(): Item | undefined {
    while (this.items.length > 0) {
      const top = this.items[0]!
      const key = this.keyOf(top)
      if (key === this.keys[0]) return top
      if (key === undefined) {
        this.dropTop()
        this.leave(top)
      } else {
        this.keys[0] = key
        this.sink(0)
      }
    }
    return undefined
  }

  /** Drops the unwanted. It happens once in as many pushes as there are items, so it costs each of them little. */
  private sweep(): void {
    const { items } = this
    this.items = []
    this.keys = []
    for (const item of items) {
      const key = this.keyOf(item)
      if (key === undefined) {
        this.leave(item)
        continue
      }
      this.items.push(item)
      this.keys.push(key)
    }
    for (let at = (this.items.length >> 1) - 1; at >= 0; at--) this.sink(at)
    this.sweepsAt = Math.max(fewest, 2 * this.items.length)
  }

  private dropTop(): void {
    const item = this.items.pop()!
    const key = this.keys.pop()!
    if (this.items.length === 0) return
    this.items[0] = item
    this.keys[0] = key
    this.sink(0)
  }

  private rise(from: number): void {
    const { items, keys } = this
    const item = items[from]!
    const key = keys[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (keys[parent]! <= key) break
      items[at] = items[parent]!
      keys[at] = keys[parent]!
      at = parent
    }
    items[at] = item
    keys[at] = key
  }

  private sink(from: number): void {
    const { items, keys } = this
    const { length } = keys
    const item = items[from]!
    const key = keys[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      items[at] = items[child]!
      keys[at] = keys[child]!
      at = child
    }
    items[at] = item
    keys[at] = key
  }
}
