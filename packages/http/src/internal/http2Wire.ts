/**
 * An HTTP/2 connection over `node:http2`.
 *
 * undici speaks HTTP/2 too, but resets a stream whose body has not been flushed in a way that makes the session write
 * empty frames for ever (its `stream.close()` leaves RST_STREAM to the end of the write, and its `destroy` takes that end
 * away), and takes a body cut short by RST_STREAM for whole. Here a stream is reset with an error code and never destroyed
 * by us, and a body is whole with END_STREAM only.
 */
import * as PoolContext from "@effect-pools/core/PoolContext"
import * as SocketError from "@effect-pools/core/SocketError"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Http2 from "node:http2"
import type { Socket } from "node:net"
import type { Exchange } from "./exchange.ts"
import { SocketGone } from "./faults.ts"
import * as Form from "./form.ts"
import { Http2Exchange } from "./http2Exchange.ts"
import { Http2Headers } from "./http2Headers.ts"
import * as Http2Proof from "./http2Proof.ts"
import type { Job } from "./job.ts"
import type { ConnectionSettings } from "./settings.ts"
import type { MakeWire, OnGone, Wire } from "./wire.ts"

/** How much of a body that nobody reads yet a server may send ahead, for one stream and for all of a session. */
const windows = { stream: 256 * 1024, session: 512 * 1024 }

export const make: MakeWire = (settings, socket, address, onGone) =>
  Effect.gen(function*() {
    const session = yield* open(settings, socket)
    if (yield* PoolContext.Unref) session.unref()
    const wire = new Http2Wire(settings, session, socket, address, onGone)
    wire.proof = yield* Http2Proof.make(session, socket, (error) => wire.fail(error))
    yield* remoteSettings(session)
    return wire
  })

const open = (
  settings: ConnectionSettings,
  socket: Socket
): Effect.Effect<Http2.ClientHttp2Session, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const session = Http2.connect(settings.origin, {
        createConnection: () => socket,
        maxSessionMemory: sessionMemory.limit,
        // Node counts a head in names and in bytes; only the bytes have an option of ours.
        maxHeaderListPairs: Math.max(128, settings.maxHeaderSize / leastPair),
        settings: { enablePush: false, initialWindowSize: windows.stream, maxHeaderListSize: settings.maxHeaderSize }
      })
      // Never without one, whatever becomes of the session: an error without a listener would end the process.
      session.on("error", ignore)
      // Node tells of the frames that could not be sent only where somebody listens; it tells their streams.
      session.on("frameError", ignore)
      session.once("connect", () => session.setLocalWindowSize(windows.session))
      return session
    }),
    (session) => Effect.sync(() => session.destroy())
  )

/**
 * The memory that Node allows a session, in MB, and how much of that may be lost, in bytes: of a stream that is reset
 * Node goes on counting what had not been flushed, and once the limit is reached it refuses every response. So a
 * session that has lost so much is replaced. To be dropped when Node counts a reset stream's bytes as freed.
 */
const sessionMemory = { limit: 64, lost: 16 * 1024 * 1024 }

/** The bytes that a header counts beside its name and value (RFC 9113, 6.5.2). */
const leastPair = 32

const ignore = (): void => {}

const remoteSettings = (session: Http2.ClientHttp2Session): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const done = (): void => resume(Effect.void)
    session.once("remoteSettings", done)
    return Effect.sync(() => session.off("remoteSettings", done))
  })

class Http2Wire implements Wire {
  readonly protocol = "HTTP/2"
  readonly origin: string
  readonly address: string
  private readonly settings: ConnectionSettings
  private readonly session: Http2.ClientHttp2Session
  private readonly socket: Socket
  private readonly exchanges = new Set<Http2Exchange>()
  private readonly headers: Http2Headers
  /** The error of the socket. */
  private failure: Error | undefined = undefined
  /** Whether requests were under way when it ended. */
  private hasLost = false
  /** Bytes of reset streams that Node goes on counting. */
  private unflushed = 0
  proof: Http2Proof.Proof | undefined = undefined
  private readonly onGone: OnGone
  /** The last stream that the server will look at, if it said goodbye. */
  private lastStream = Infinity

  constructor(
    settings: ConnectionSettings,
    session: Http2.ClientHttp2Session,
    socket: Socket,
    address: string,
    onGone: OnGone
  ) {
    this.settings = settings
    this.session = session
    this.socket = socket
    this.origin = settings.origin
    this.headers = new Http2Headers(settings.origin)
    this.address = address
    this.onGone = onGone
    const failed = (error: Error): void => {
      this.failure ??= error
    }
    socket.on("error", failed)
    session.on("error", failed)
    session.on("goaway", (code: number, lastStream: number) => {
      this.lastStream = lastStream
      if (code === 0) onGone(new SocketGone(), "orderly")
    })
    session.on("close", () => {
      const isFailed = this.failure !== undefined || (this.hasLost && this.lastStream === Infinity)
      onGone(this.failure ?? new SocketGone(), isFailed ? "failed" : "closed")
    })
    // An idle connection keeps no process alive.
    session.unref()
  }

  /** Ends it at once, with all that is under way. */
  fail(error: Error): void {
    this.failure ??= error
    this.onGone(error, "failed")
    this.session.destroy()
    this.socket.destroy()
  }

  get maxStreams(): number {
    return Math.min(this.settings.maxConcurrentStreams, this.session.remoteSettings?.maxConcurrentStreams ?? Infinity)
  }

  isOpen(): boolean {
    return !this.session.closed && !this.isGone()
  }

  private isGone(): boolean {
    return this.session.destroyed || this.socket.destroyed
  }

  open(headers: Http2.OutgoingHttpHeaders, hasBody: boolean): Http2.ClientHttp2Stream {
    return this.session.request(headers, { endStream: !hasBody })
  }

  hasRefused(id: number): boolean {
    return id > this.lastStream
  }

  over(exchange: Http2Exchange): void {
    this.exchanges.delete(exchange)
    if (this.exchanges.size === 0) this.session.unref()
  }

  reset(isAnswered: boolean, unflushed: number): void {
    if (!isAnswered) this.proof?.ask()
    this.unflushed += unflushed
    if (this.unflushed > sessionMemory.lost) this.onGone(new SocketGone(), "orderly")
  }

  lost(): string | undefined {
    if (!this.isGone()) return undefined
    this.hasLost = true
    return SocketError.codeOf(this.failure) ?? "ECONNRESET"
  }

  bytesRead(): number {
    return this.socket.bytesRead
  }

  dispatch({ outgoing }: Job, exchange: Exchange): void {
    if (!this.isOpen()) return exchange.onResponseError(undefined, new SocketGone())
    const encoded = Form.encoded(outgoing)
    const headers = this.headers.of(encoded)
    if (headers instanceof Error) return exchange.onResponseError(undefined, headers)
    if (this.exchanges.size === 0) this.session.ref()
    const under = new Http2Exchange(exchange, encoded, headers, this)
    this.exchanges.add(under)
    under.begin()
  }
}
