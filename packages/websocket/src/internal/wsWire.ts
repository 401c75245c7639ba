/**
 * A wire of `ws`. The only file that touches it.
 */
import * as PoolContext from "@effect-pools/core/PoolContext"
import * as ServerText from "@effect-pools/core/ServerText"
import * as SocketError from "@effect-pools/core/SocketError"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { WebSocket } from "ws"
import type { RawMessage } from "./configModel.ts"
import { OpenFailed, WebSocketError } from "../WebSocketError.ts"
import type { Listener, Open, Target, Wire } from "./wire.ts"

export const open: Open = (target, listener) =>
  Effect.flatMap(PoolContext.Unref, (mayEnd) =>
    Effect.callback<void, WebSocketError>((resume) => {
      // Made and listened to in one step: an error that finds no listener would end the process.
      const made = Result.try(() => connect(target))
      if (Result.isFailure(made)) return resume(Effect.fail(openFailed(target, made.failure)))
      const ws = made.success
      if (mayEnd) ws.once("upgrade", ({ socket }) => void socket.unref())
      listen(ws, target, listener, (error) => resume(error === undefined ? Effect.void : Effect.fail(error)))
      return Effect.sync(() => ws.terminate())
    }))

const connect = (target: Target): WebSocket =>
  new WebSocket(target.url, Array.from(target.protocols), {
    ...target.tls,
    headers: { ...target.headers },
    maxPayload: target.maxPayload,
    maxFragments: target.maxFragments,
    // The pieces of a frame that is not whole yet: 64 bytes each, and no server that means well sends smaller ones.
    maxBufferedChunks: Math.max(target.maxFragments, Math.ceil(target.maxPayload / 64)),
    perMessageDeflate: target.perMessageDeflate,
    followRedirects: false
  })

const listen = (
  ws: WebSocket,
  target: Target,
  listener: Listener,
  settle: (error: WebSocketError | undefined) => void
): void => {
  let socket: Socket | undefined
  let isOpen = false
  ws.on("upgrade", (response) => {
    socket = response.socket
  })
  ws.on("unexpected-response", (request, response) => {
    settle(refused(target, response.statusCode ?? 0, response.headers["retry-after"]))
    request.destroy()
    ws.terminate()
  })
  ws.on("open", () => {
    isOpen = true
    listener.opened(wireOf(ws, socket!))
    settle(undefined)
  })
  ws.on("message", (data, isBinary) => listener.received(frameOf(data as Buffer, isBinary)))
  ws.on("pong", (payload) => listener.ponged(payload.toString()))
  // Never without a listener: an error may still come when nobody waits any more.
  ws.on("error", (error) => {
    if (isOpen) listener.failed(codeOf(error), reasonOf(error))
    else settle(openFailed(target, error))
  })
  ws.on("close", (code, reason) => {
    if (isOpen) listener.closed(code, reason.toString())
  })
}

const wireOf = (ws: WebSocket, socket: Socket): Wire => ({
  protocol: ws.protocol,
  isOpen: () => ws.readyState === WebSocket.OPEN,
  buffered: () => ws.bufferedAmount,
  bytesRead: () => socket.bytesRead,
  cork: () => socket.cork(),
  uncork: () => socket.uncork(),
  send: sendOf(ws, socket),
  ping: (payload) => ws.ping(payload, undefined, ignore),
  pause: () => ws.pause(),
  resume: () => ws.resume(),
  close: (code, reason) => ws.close(code, reason),
  terminate: () => ws.terminate()
})

/**
 * A callback costs an entry in Node's queue of ticks. The network mostly takes a message within the call, and then none is
 * needed; where it has not, the callback follows the message into the queue of the socket.
 */
const sendOf = (ws: WebSocket, socket: Socket): Wire["send"] => {
  // Messages that are compressed or encrypted are never taken within the call.
  const isPlain = ws.extensions === "" && !(socket instanceof TLSSocket)
  return (frame, onWritten) => {
    if (!isPlain || socket.writableLength > 0 || socket.writableCorked > 0) {
      put(ws, frame, onWritten)
      return false
    }
    put(ws, frame)
    if (socket.writableLength === 0 && !socket.destroyed) return true
    socket.write(nothing, onWritten)
    return false
  }
}

const nothing = new Uint8Array(0)

const put = (ws: WebSocket, frame: RawMessage, onWritten?: (error?: unknown) => void): void => {
  if (typeof frame === "string" && frame.length <= mostInOnePiece) ws.send(Buffer.from(frame), asText, onWritten)
  else ws.send(frame, onWritten)
}

/**
 * `ws` puts bytes that it must not change into one buffer with their header, but for a text it makes two. One takes less
 * time to write, as long as there is not much to copy.
 */
const asText = { binary: false }
const mostInOnePiece = 16_384

const ignore = (): void => {}

const frameOf = (data: Buffer, isBinary: boolean): RawMessage => isBinary ? alone(data) : data.toString()

/** A message is a window on the packet that it came in: whoever keeps one that is small would keep the packet too. */
const alone = (data: Buffer): Buffer => {
  if (2 * data.length >= data.buffer.byteLength) return data
  const copy = Buffer.allocUnsafeSlow(data.length)
  data.copy(copy)
  return copy
}

const codes: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_INVALID_UTF8: 1007
}

/** The code that `ws` closes with when the peer breaks the protocol; 1006 for an error of the network. */
const codeOf = (error: Error): number => {
  const code = SocketError.codeOf(error) ?? ""
  return codes[code] ?? (code.startsWith("WS_ERR_") ? 1002 : 1006)
}

/** The options whose limits `ws` keeps. */
const limits: Readonly<Record<string, string>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: "maxPayload",
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: "maxPayload",
  WS_ERR_TOO_MANY_BUFFERED_PARTS: "maxFragments"
}

const reasonOf = (error: Error): string => {
  const limit = limits[SocketError.codeOf(error) ?? ""]
  return ServerText.clean(limit === undefined ? error.message : `${error.message} (${limit})`, 123)
}

const refused = (target: Target, status: number, retryAfter: string | undefined): WebSocketError => {
  const isRetryable = status === 401 || status === 403
    ? target.hasFreshCredentials
    : status >= 500 || status === 408 || status === 425 || status === 429
  const why = `the server answered with status ${status} instead of switching protocols`
  return new WebSocketError({
    address: target.address,
    reason: new OpenFailed({ why, status, code: undefined, retryAfter: waitOf(retryAfter), isRetryable })
  })
}

/** A date would have to be compared with a clock that this side may have set otherwise: seconds only. */
const waitOf = (header: string | undefined): number | undefined =>
  header !== undefined && /^\s*\d{1,9}\s*$/.test(header) ? Number(header) * 1000 : undefined

const openFailed = (target: Target, error: unknown): WebSocketError => {
  const code = SocketError.codeOf(error)
  // An error without a code is made by `ws` when the server does not speak the protocol; a SyntaxError quotes the URL.
  const said = error instanceof Error && !(error instanceof SyntaxError) ? error.message : ""
  const why = said === "" ? code ?? "the URL, the protocols or the headers are not valid" : ServerText.clean(said)
  const isPermanent = error instanceof SyntaxError || SocketError.isPermanent(code) ||
    code?.startsWith("ERR_INVALID_") === true || deadEnd.test(why)
  return new WebSocketError({
    address: target.address,
    reason: new OpenFailed({ why, status: undefined, code, retryAfter: undefined, isRetryable: !isPermanent })
  })
}

const deadEnd = /subprotocol|Sec-WebSocket|Upgrade header|extension/
