/**
 * Watches the process while exchanges run: what nobody caught, how long the event loop stood still, and how much memory
 * stays.
 */
export interface Seen {
  readonly uncaught: ReadonlyArray<string>
  /** The longest time in milliseconds for which this process kept its event loop from turning. */
  readonly longestStall: number
  /** The most memory that this process had, in bytes. */
  readonly peakMemory: number
}

const every = 5

export class Watch {
  private readonly uncaught: Array<string> = []
  private longestStall = 0
  private peakMemory = 0
  private last = performance.now()
  private burned = process.cpuUsage()
  private readonly timer: NodeJS.Timeout

  constructor() {
    process.on("uncaughtException", this.caught)
    process.on("unhandledRejection", this.caught)
    this.timer = setInterval(() => this.tick(), every)
  }

  read(): Seen {
    this.tick()
    return { uncaught: this.uncaught, longestStall: this.longestStall, peakMemory: this.peakMemory }
  }

  end(): Seen {
    clearInterval(this.timer)
    process.off("uncaughtException", this.caught)
    process.off("unhandledRejection", this.caught)
    return this.read()
  }

  private readonly caught = (error: unknown): void => {
    this.uncaught.push(error instanceof Error ? error.stack ?? error.message : String(error))
  }

  private tick(): void {
    const now = performance.now()
    const burned = process.cpuUsage(this.burned)
    this.burned = process.cpuUsage()
    // A machine that gives its processors to others stalls us too: only time that was spent computing is ours.
    const stall = Math.min(now - this.last - every, (burned.user + burned.system) / 1000)
    this.last = now
    this.longestStall = Math.max(this.longestStall, stall)
    this.peakMemory = Math.max(this.peakMemory, process.memoryUsage.rss())
  }
}
