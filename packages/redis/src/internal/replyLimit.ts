/**
 * Ends a connection on which one answer grows without end, before it fills the memory.
 */
import type { Node } from "./node.ts"

/** What is added to the bytes of an answer by those of others in the same chunk is not worth telling apart. */
export const limitReplies = (node: Node, maxReplySize: number): void => {
  // No public member tells which command is answered next.
  const redis = node.redis as unknown as { readonly commandQueue: { readonly peekFront: () => unknown } }
  let answered: unknown
  let bytes = 0
  node.redis.stream.on("data", (chunk: Buffer) => {
    const next = redis.commandQueue.peekFront()
    if (next === undefined || next !== answered) {
      answered = next
      bytes = 0
      return
    }
    bytes += chunk.length
    if (bytes > maxReplySize) node.destroy(new Error(`an answer is larger than ${maxReplySize} bytes (maxReplySize)`))
  })
}
