/** The pooled thing: a session with a server that answers each line with a line. The server of this example is a Redis. */
import { connect, type Socket } from "node:net"
import { createInterface, type Interface } from "node:readline"

export class Session {
  readonly #socket: Socket
  readonly #lines: AsyncIterator<string>

  private constructor(socket: Socket, lines: Interface) {
    this.#socket = socket
    this.#lines = lines[Symbol.asyncIterator]()
  }

  static open(host: string, port: number): Promise<Session> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host)
      socket.once("error", reject)
      socket.once("connect", () => {
        socket.off("error", reject)
        socket.on("error", () => socket.destroy())
        resolve(new Session(socket, createInterface({ input: socket })))
      })
    })
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable
  }

  async ask(line: string): Promise<string> {
    this.#socket.write(`${line}\r\n`)
    const answer = await this.#lines.next()
    if (answer.done === true) throw new Error("the server has closed the session")
    return answer.value
  }

  close(): void {
    this.#socket.destroy()
  }
}
