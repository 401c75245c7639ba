/**
 * Bytes that came from a socket in several chunks.
 *
 * For authors of connectors.
 *
 * @since 0.1.0
 */

/**
 * Joins chunks for whoever reads the bytes at once, to make a text of them, say: they are overwritten when it is called again.
 *
 * `Buffer.concat` takes fresh memory for each value. For a long one that costs more than the copy: the kernel fills its pages
 * with zeros, and V8 marks its whole heap the more often, the more memory its buffers hold. This takes the same memory again,
 * up to 1 MiB of it. A single chunk is given as it is, and what is longer than 1 MiB is joined in memory of its own.
 *
 * @category combinators
 * @since 0.1.0
 */
export const joinForNow = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (chunks.length < 2) return chunks[0] ?? nothing
  let length = 0
  for (const chunk of chunks) length += chunk.length
  if (length > most) return Buffer.concat(chunks)
  memory ??= Buffer.allocUnsafeSlow(most)
  let end = 0
  for (const chunk of chunks) {
    memory.set(chunk, end)
    end += chunk.length
  }
  return memory.subarray(0, length)
}

const nothing = new Uint8Array(0)

/** Longer values are few, and memory for them is not to stay. */
const most = 1_048_576

let memory: Buffer | undefined = undefined
