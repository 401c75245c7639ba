/**
 * Things that are made of a statement's text, kept up to a bound: a program runs the same few texts over and over, but one
 * that writes values into its texts never runs the same one twice, and must not pay for that with memory. When it is full
 * all are forgotten, which costs the texts in use one making each.
 */
export class ByText<A> {
  private readonly known = new Map<string, A>()
  private readonly make: (text: string) => A
  private readonly most: number
  private readonly longest: number

  /** At most so many, and none of texts that are longer. */
  constructor(make: (text: string) => A, most: number, longest: number) {
    this.make = make
    this.most = most
    this.longest = longest
  }

  get size(): number {
    return this.known.size
  }

  of(text: string): A {
    return this.known.get(text) ?? this.learn(text)
  }

  private learn(text: string): A {
    const made = this.make(text)
    if (text.length > this.longest) return made
    if (this.known.size >= this.most) this.known.clear()
    this.known.set(text, made)
    return made
  }
}
