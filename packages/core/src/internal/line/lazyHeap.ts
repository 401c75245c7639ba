/**
 * The least of many by a key that only grows: what has grown meanwhile is put where it belongs when it comes to the top.
 *
 * An item whose key is `undefined` is not wanted any more and leaves when it comes to the top.
 */
export class LazyHeap<Item> {
  private readonly keyOf: (item: Item) => number | undefined
  private readonly items: Array<Item> = []
  private readonly keys: Array<number> = []

  constructor(keyOf: (item: Item) => number | undefined) {
    this.keyOf = keyOf
  }

  get size(): number {
    return this.items.length
  }

  push(item: Item): void {
    const key = this.keyOf(item)
    if (key === undefined) return
    this.items.push(item)
    this.keys.push(key)
    this.rise(this.items.length - 1)
  }

  /** The item with the least key as it is now. `leave` is told of each that is found unwanted on the way. */
  first(leave: (item: Item) => void): Item | undefined {
    while (this.items.length > 0) {
      const top = this.items[0]!
      const key = this.keyOf(top)
      if (key === this.keys[0]) return top
      if (key === undefined) {
        this.dropTop()
        leave(top)
      } else {
        this.keys[0] = key
        this.sink(0)
      }
    }
    return undefined
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
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.keys[parent]! <= this.keys[at]!) return
      this.swap(at, parent)
      at = parent
    }
  }

  private sink(from: number): void {
    let at = from
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < this.keys.length && this.keys[left]! < this.keys[least]!) least = left
      if (right < this.keys.length && this.keys[right]! < this.keys[least]!) least = right
      if (least === at) return
      this.swap(at, least)
      at = least
    }
  }

  private swap(a: number, b: number): void {
    const item = this.items[a]!
    const key = this.keys[a]!
    this.items[a] = this.items[b]!
    this.keys[a] = this.keys[b]!
    this.items[b] = item
    this.keys[b] = key
  }
}
