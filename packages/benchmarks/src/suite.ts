/** A part of the benchmark: what it times, and how it tells about it. */

export interface Choice {
  /** Only scenarios that have this in their name. */
  readonly filter: string
  /** Fewer rounds of fewer operations. */
  readonly quick: boolean
}

/** The outcome of a suite. */
export interface Outcome {
  /** A record for programs. */
  readonly record: object
  /** Tables for people. */
  readonly text: string
}

export interface Suite {
  readonly name: string
  /** The packages whose versions matter. */
  readonly packages: ReadonlyArray<string>
  /** Nothing if no scenario is left to run. */
  run(choice: Choice, tell: (line: string) => void): Promise<Outcome | undefined>
}
