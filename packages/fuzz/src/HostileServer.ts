/**
 * A server on loopback that answers each connection by a script: what was said to the client's first chunk, to its
 * second, and so on. A script is made from a right server and dice, or read from the corpus.
 */
import { createServer, type Server, type Socket } from "node:net"
import { Dice } from "./Dice.ts"
import { mutate } from "./mutate.ts"
import type { Protocol } from "./Protocol.ts"

/** One answer: the bytes, in how many pieces they leave, and what becomes of the connection after them. */
export interface Answer {
  readonly bytes: Buffer
  readonly pieces: number
  readonly then: "go on" | "end" | "reset"
}

/** Gives the answer to each chunk that a connection receives. `undefined` is silence. */
export type Script = (received: Buffer) => Answer | undefined

/** The answers given on each connection, in the order in which they came. */
export type Conversations = ReadonlyArray<ReadonlyArray<Answer>>

/** A right server whose answers are made wrong now and then. What is said is written to `said`. */
export const hostile = (protocol: Protocol, seed: number, said: Array<Array<Answer>>): () => Script => {
  const dice = new Dice(seed)
  // Most exchanges get past the login, so that what comes after is reached as well.
  const share = dice.pick([0.05, 0.2, 0.5, 1])
  return () => {
    const answer = protocol.answerer()
    const answers: Array<Answer> = []
    said.push(answers)
    return (received) => {
      const right = answer(received)
      const isWrong = dice.chance(share)
      const next: Answer = {
        bytes: isWrong && right.length > 0 ? mutate(right, dice) : right,
        pieces: dice.chance(0.3) ? 2 + dice.below(20) : 1,
        then: isWrong && dice.chance(0.2) ? dice.pick(["end", "reset"]) : "go on"
      }
      answers.push(next)
      return next
    }
  }
}

/** Says again what was said once. A connection more than there were then meets silence. */
export const replayed = (said: Conversations): () => Script => {
  let connection = 0
  return () => {
    const answers = said[connection++] ?? []
    let next = 0
    return () => answers[next++]
  }
}

const say = (socket: Socket, { bytes, pieces, then }: Answer): void => {
  const size = Math.max(1, Math.ceil(bytes.length / pieces))
  for (let at = 0; at < bytes.length; at += size) socket.write(bytes.subarray(at, at + size))
  if (then === "end") socket.end()
  else if (then === "reset") socket.resetAndDestroy()
}

export interface Listening {
  readonly port: number
  readonly close: () => Promise<void>
}

export const listen = (connect: () => Script): Promise<Listening> =>
  new Promise((resolve, reject) => {
    const sockets = new Set<Socket>()
    const server: Server = createServer((socket) => {
      const script = connect()
      sockets.add(socket.setNoDelay(true))
      socket.on("close", () => sockets.delete(socket))
      // A client that hangs up is what is to be expected here.
      socket.on("error", () => {})
      socket.on("data", (received) => {
        const answer = script(received)
        if (answer !== undefined && socket.writable) say(socket, answer)
      })
    })
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (address === null || typeof address === "string") return reject(new Error("the server has no port"))
      resolve({
        port: address.port,
        close: () =>
          new Promise((closed) => {
            for (const socket of sockets) socket.destroy()
            server.close(() => closed())
          })
      })
    })
  })
