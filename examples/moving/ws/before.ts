import { randomUUID } from "node:crypto"
import { WebSocket } from "ws"

interface Message {
  readonly id?: string
  readonly text: string
}

/** One connection that comes back, and requests told apart by their ids. */
class Chat {
  readonly #waiting = new Map<
    string,
    { readonly done: (message: Message) => void; readonly failed: (error: Error) => void }
  >()
  readonly #url: string
  #socket: WebSocket | undefined
  #opening: Promise<WebSocket> | undefined
  #isClosed = false

  constructor(url: string) {
    this.#url = url
  }

  #open(): Promise<WebSocket> {
    this.#opening ??= new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url)
      socket.on("open", () => resolve(socket))
      socket.on("error", reject)
      socket.on("message", (data) => {
        const message = JSON.parse(String(data)) as Message
        this.#waiting.get(message.id ?? "")?.done(message)
      })
      socket.on("close", () => {
        this.#opening = undefined
        for (const { failed } of this.#waiting.values()) failed(new Error("the connection was lost"))
        this.#waiting.clear()
        if (!this.#isClosed) setTimeout(() => this.#open().catch(() => {}), 1_000)
      })
      this.#socket = socket
    })
    return this.#opening
  }

  async request(text: string): Promise<Message> {
    const socket = await this.#open()
    const id = randomUUID()
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no reply within 5 s")), 5_000)
        this.#waiting.set(id, {
          done: (message) => {
            clearTimeout(timer)
            resolve(message)
          },
          failed: (error) => {
            clearTimeout(timer)
            reject(error)
          }
        })
        socket.send(JSON.stringify({ id, text }))
      })
    } finally {
      this.#waiting.delete(id)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#socket?.close()
  }
}

const chat = new Chat(process.env["CHAT_URL"] ?? "")
const replies = await Promise.all(["hello", "anybody there", "good-bye"].map((text) => chat.request(text)))
for (const { text } of replies) console.log(text)
chat.close()
