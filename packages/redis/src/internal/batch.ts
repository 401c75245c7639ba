/**
 * Collects what is sent in one turn of the event loop, and writes it to the socket at once.
 *
 * It is what ioredis is given as the stream to write a command to. A chunk of answers lets many fibers run on, and what
 * they send next leaves together.
 */
import type { Duplex } from "node:stream"

export class Batch {
  private readonly socket: () => Duplex
  private written = ""
  private chunks: Array<Buffer> | undefined
  private isScheduled = false
  /** How often it has written to the socket. */
  flushes = 0

  constructor(socket: () => Duplex) {
    this.socket = socket
  }

  write(chunk: string | Buffer): boolean {
    if (typeof chunk === "string") {
      this.written += chunk
    } else {
      this.chunks ??= []
      if (this.written !== "") this.chunks.push(Buffer.from(this.written))
      this.chunks.push(chunk)
      this.written = ""
    }
    if (this.written.length > largest || this.chunks !== undefined && this.chunks.length > 256) this.flush()
    else if (!this.isScheduled) {
      this.isScheduled = true
      queueMicrotask(this.scheduled)
    }
    return true
  }

  private readonly scheduled = (): void => {
    this.isScheduled = false
    this.flush()
  }

  private flush(): void {
    this.flushes++
    const { chunks, written } = this
    this.written = ""
    this.chunks = undefined
    const socket = this.socket()
    // What it can't be given any more is answered for by the end of the connection.
    if (!socket.writable || (chunks === undefined && written === "")) return
    if (chunks === undefined) return void socket.write(written)
    if (written !== "") chunks.push(Buffer.from(written))
    socket.write(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks))
  }
}

/** Characters collected at most, so that a long pipeline is on its way while the rest is still written. */
const largest = 65_536
