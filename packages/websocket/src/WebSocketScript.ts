/**
 * A server without a network, for tests: the service class stays, `layerTest` takes the place of `layer`.
 *
 * ```ts
 * import { WebSocketPool, WebSocketScript } from "@effect-pools/websocket"
 * import { Effect } from "effect"
 *
 * class Chat extends WebSocketPool.Service<Chat>()("app/Chat") {}
 *
 * const server = WebSocketScript.make((message) => [`you said ${message}`])
 *
 * const test = Chat.request("hello").pipe(Effect.provide(Chat.layerTest(server)))
 * // succeeds with "you said hello"; server.received: [{ connection: 1, message: "hello" }]
 * ```
 *
 * The pool is a real one, and so are its connections up to the wire: schemas, correlation, limits and misuse are as they
 * are with a server.
 *
 * @since 0.1.0
 */
import type { RawMessage } from "./WebSocketConfig.ts"
import type { Listener, Wire } from "./internal/wire.ts"

/**
 * Answers each message with those the server sends back; `undefined` for none.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer = (message: RawMessage, connection: number) => ReadonlyArray<RawMessage> | undefined

/**
 * One message that the server received.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received {
  /** Counts connections from 1, in the order in which they were opened. */
  readonly connection: number
  readonly message: RawMessage
}

/**
 * A scripted server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Script {
  /** Every message so far. */
  readonly received: ReadonlyArray<Received>
  /** The connections that are open now. */
  readonly connections: () => ReadonlyArray<number>
  /** Sends a message, to one connection or to all that are open. */
  readonly push: (message: RawMessage, connection?: number) => void
  /** Closes one connection, or all that are open. Default code 1000. */
  readonly close: (code?: number, reason?: string, connection?: number) => void
  /** Ends connections without a farewell, as a network does. */
  readonly cut: (connection?: number) => void
  /** While `true`, the server answers nothing, not even pings. */
  readonly silence: (isSilent: boolean) => void
  /** Opens a connection. `layerTest` calls it. */
  readonly connect: (listener: Listener, protocols: ReadonlyArray<string>) => void
}

/**
 * Makes a server from the function that answers its messages, by default with nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (answer: Answer = () => undefined): Script => {
  const received: Array<Received> = []
  const peers = new Map<number, Peer>()
  let isSilent = false
  let opened = 0
  const each = (connection: number | undefined, f: (peer: Peer) => void): void => {
    for (const [id, peer] of Array.from(peers)) {
      if (connection === undefined || connection === id) f(peer)
    }
  }
  return {
    received,
    connections: () => Array.from(peers.keys()),
    push: (message, connection) => each(connection, (peer) => peer.push(message)),
    close: (code = 1000, reason = "", connection) => each(connection, (peer) => peer.end(code, reason)),
    cut: (connection) => each(connection, (peer) => peer.end(1006, "")),
    silence: (on) => {
      isSilent = on
    },
    connect: (listener, protocols) => {
      const connection = ++opened
      const peer = new Peer(listener, protocols[0] ?? "", {
        onMessage: (message) => {
          received.push({ connection, message })
          if (!isSilent) { for (const reply of answer(message, connection) ?? []) peer.push(reply) }
        },
        onEnd: () => peers.delete(connection),
        isSilent: () => isSilent
      })
      peers.set(connection, peer)
      listener.opened(peer)
    }
  }
}

interface Server {
  readonly onMessage: (message: RawMessage) => void
  readonly onEnd: () => void
  readonly isSilent: () => boolean
}

/** One connection, as the client has it. */
class Peer implements Wire {
  readonly protocol: string
  private readonly listener: Listener
  private readonly server: Server
  private readonly held: Array<RawMessage> = []
  private isPaused = false
  private hasEnded = false
  private received = 0

  constructor(listener: Listener, protocol: string, server: Server) {
    this.listener = listener
    this.protocol = protocol
    this.server = server
  }

  readonly isOpen = (): boolean => !this.hasEnded
  readonly buffered = (): number => 0
  readonly bytesRead = (): number => this.received

  readonly cork = (): void => {}
  readonly uncork = (): void => {}

  readonly send: Wire["send"] = (frame) => {
    this.server.onMessage(frame)
    return true
  }

  readonly ping = (payload: string): void => {
    if (!this.server.isSilent()) this.listener.ponged(payload)
  }

  readonly pause = (): void => {
    this.isPaused = true
  }

  readonly resume = (): void => {
    this.isPaused = false
    while (!this.isPaused && this.held.length > 0) this.give(this.held.shift()!)
  }

  readonly close = (code: number, reason: string): void => this.end(code, reason)
  readonly terminate = (): void => this.end(1006, "")

  push(frame: RawMessage): void {
    if (this.isPaused) this.held.push(frame)
    else this.give(frame)
  }

  end(code: number, reason: string): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.server.onEnd()
    this.listener.closed(code, reason)
  }

  private give(frame: RawMessage): void {
    this.received += frame.length
    this.listener.received(frame)
  }
}
