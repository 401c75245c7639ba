/**
 * Collects what is sent in one turn of the event loop, and writes it to the socket at once.
 *
 * A chunk of answers lets many fibers run on, and what they send next leaves together: in two halves, so that the server
 * works on one while the other is still being made, and neither of the two waits for the other.
 */
import type { Writable } from "node:stream"

export class Batch {
  private readonly socket: () => Writable
  private written = ""
  private chunks: Array<Buffer> | undefined
  /** Whether a flush is already certain to come. */
  private isDue = false
  private endOfTurn: NodeJS.Immediate | undefined
  /** Chunks collected since the last flush, and how many there may be. */
  private gathered = 0
  private most = Infinity
  /** How often it has written to the socket. */
  flushes = 0
  /** How often it had when the answers came that are being read. */
  answerable = 0

  constructor(socket: () => Writable) {
    this.socket = socket
  }

  /**
   * While answers are read, of which so many are still to come, collects at most half as many requests. `release` or
   * `releaseLater` lets the rest go.
   */
  hold(unanswered: number): void {
    this.isDue = true
    this.most = Math.ceil(unanswered / 2)
    this.answerable = this.flushes
  }

  /** Collects on until the turn of the event loop has read all that there is to read. */
  releaseLater(): void {
    // oxlint-disable-next-line no-restricted-globals -- called by the socket, where no fiber runs
    this.endOfTurn ??= setImmediate(() => this.release())
  }

  /** Writes what is left at once: nobody need wait for the turn to end. */
  release(): void {
    clearImmediate(this.endOfTurn)
    this.endOfTurn = undefined
    this.isDue = false
    this.most = Infinity
    this.flush()
  }

  write(chunk: string | Buffer): void {
    if (typeof chunk === "string") {
      this.written += chunk
    } else {
      this.chunks ??= []
      if (this.written !== "") this.chunks.push(Buffer.from(this.written))
      this.chunks.push(chunk)
      this.written = ""
    }
    const isLong = this.written.length > largest || this.chunks !== undefined && this.chunks.length > 256
    if (++this.gathered >= this.most || isLong) this.flush()
    else if (!this.isDue) {
      this.isDue = true
      queueMicrotask(() => this.release())
    }
  }

  private flush(): void {
    const { chunks, written } = this
    if (chunks === undefined && written === "") return
    this.flushes++
    this.gathered = 0
    this.written = ""
    this.chunks = undefined
    const socket = this.socket()
    // The end of the connection answers the requests that it can't take any more.
    if (!socket.writable) return
    if (chunks === undefined) return void socket.write(written)
    if (written !== "") chunks.push(Buffer.from(written))
    socket.write(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
  }
}

/** Characters collected at most, so that a long pipeline is on its way while the rest is still written. */
const largest = 65_536
