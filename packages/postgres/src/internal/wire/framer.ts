/**
 * Follows the borders of the server's messages in the stream of bytes, and takes rows out that are longer than allowed.
 *
 * The driver's parser gives the session up when it meets one, with all that waits on it. A row can be passed over instead:
 * nothing that follows depends on it.
 */
export class Framer {
  private readonly longest: number
  private readonly onBytes: (bytes: Uint8Array) => void
  private readonly onTooLong: (length: number) => void
  /** The bytes still to come of the message that has begun. */
  private left = 0
  private isSkipping = false
  /** The start of a message whose length is not there yet. */
  private head: Uint8Array = none

  constructor(longest: number, onBytes: (bytes: Uint8Array) => void, onTooLong: (length: number) => void) {
    this.longest = longest
    this.onBytes = onBytes
    this.onTooLong = onTooLong
  }

  push(chunk: Uint8Array): void {
    const bytes = this.head.length === 0 ? chunk : Buffer.concat([this.head, chunk])
    this.head = none
    let start = 0
    let at = 0
    for (;;) {
      const step = Math.min(this.left, bytes.length - at)
      at += step
      this.left -= step
      if (this.left > 0) break
      if (this.isSkipping) {
        this.isSkipping = false
        start = at
      }
      if (bytes.length - at < headSize) {
        // Copied, since the chunk is the socket's.
        this.head = bytes.slice(at)
        break
      }
      const length = bytes[at + 1]! << 24 | bytes[at + 2]! << 16 | bytes[at + 3]! << 8 | bytes[at + 4]!
      if (length > this.longest && length <= longestRow && (bytes[at] === dataRow || bytes[at] === copyData)) {
        this.pass(bytes, start, at)
        this.isSkipping = true
        this.onTooLong(length)
      }
      // A length that can't be is left to the parser, which refuses it.
      this.left = Math.max(length + 1, headSize)
    }
    if (!this.isSkipping) this.pass(bytes, start, bytes.length - this.head.length)
  }

  private pass(bytes: Uint8Array, start: number, end: number): void {
    if (end > start) this.onBytes(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end))
  }
}

const none = new Uint8Array(0)
const headSize = 5
/** The server makes none that are longer. What claims to be is left to the parser, which gives the session up. */
const longestRow = 0x40000000
const dataRow = 0x44
const copyData = 0x64
