/** Entries by when they came, linked through themselves: coming costs no allocation, and leaving no search. */
interface Aged<Self> {
  older: Self | undefined
  younger: Self | undefined
}

export class AgeList<Entry extends Aged<Entry>> {
  head: Entry | undefined = undefined
  private tail: Entry | undefined = undefined
  size = 0

  push(entry: Entry): void {
    entry.older = this.tail
    if (this.tail === undefined) this.head = entry
    else this.tail.younger = entry
    this.tail = entry
    this.size++
  }

  remove(entry: Entry): void {
    const { older, younger } = entry
    if (older === undefined) this.head = younger
    else older.younger = younger
    if (younger === undefined) this.tail = older
    else younger.older = older
    entry.older = undefined
    entry.younger = undefined
    this.size--
  }

  *[Symbol.iterator](): Iterator<Entry> {
    for (let entry = this.head; entry !== undefined; entry = entry.younger) yield entry
  }
}
