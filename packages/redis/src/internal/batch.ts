/**
 * Collects what is sent in one turn of the event loop, and writes it to the socket at once.
 *
 * A chunk of answers lets many fibers run on, and what they send next leaves together.
 */
import type { Writable } from "node:stream"

export class Batch {
  private readonly socket: () => Writable
  private written = ""
  private chunks: Array<Buffer> | undefined
  /** Whether a flush is already certain to come. */
  private isDue = false
  /** How often it has written to the socket. */
  flushes = 0

  constructor(socket: () => Writable) {
    this.socket = socket
  }

  /** Collects until `release`, which writes at once: nobody need wait for the turn to end. */
  hold(): void {
    this.isDue = true
  }

  release(): void {
    this.isDue = false
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
    if (this.written.length > largest || this.chunks !== undefined && this.chunks.length > 256) this.flush()
    else if (!this.isDue) {
      this.isDue = true
      queueMicrotask(() => this.release())
    }
  }

  private flush(): void {
    const { chunks, written } = this
    if (chunks === undefined && written === "") return
    this.flushes++
    this.written = ""
    this.chunks = undefined
    const socket = this.socket()
    // What it can't be given any more is answered for by the end of the connection.
    if (!socket.writable) return
    if (chunks === undefined) return void socket.write(written)
    if (written !== "") chunks.push(Buffer.from(written))
    socket.write(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
  }
}

/** Characters collected at most, so that a long pipeline is on its way while the rest is still written. */
const largest = 65_536
