/**
 * One connection to one server: a socket that ioredis opens, and what was sent on it and waits for an answer.
 *
 * ioredis must do nothing by itself here: it neither reconnects nor queues nor retries, asks for no password and has no
 * timer running. The end of the socket is the end of the node.
 */
import * as PoolContext from "@effect-pools/core/PoolContext"
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import type { RawReply } from "../RedisCommand.ts"
import type { RedisError } from "../RedisError.ts"
import { Batch } from "./batch.ts"
import * as Fault from "./fault.ts"
import * as Reader from "./reader.ts"
import { type EncodedArg, Request } from "./request.ts"
import { RequestQueue } from "./requestQueue.ts"
import { type Address, addressText, type ConnectionSettings } from "./settings.ts"
import { Subscriptions } from "./subscriptions.ts"

const unanswered =
  "before the first command was answered: this may be no Redis server, or one that wants TLS (option tls)"

export type OnEnd = (cause: Error) => void

export class Node {
  readonly address: Address
  /** For what only a dedicated connection may do: its events tell of messages. */
  readonly redis: Redis
  /** The cause of its end, `undefined` as long as it lives. */
  ended: Error | undefined = undefined
  /** The first error of its socket. */
  failure: Error | undefined = undefined
  /** Requests that were sent and wait for their answers. */
  readonly unanswered = new RequestQueue()
  readonly subscriptions = new Subscriptions()
  readonly batch: Batch

  constructor(address: Address, redis: Redis) {
    this.address = address
    this.redis = redis
    this.batch = new Batch(() => redis.stream)
  }

  /** Sends a request, and has it answered in any case. */
  send(request: Request): void {
    if (this.ended !== undefined || !this.redis.stream.writable) return request.reject(this.cause)
    request.holder = this
    this.unanswered.push(request)
    request.leaveWith(this.batch)
  }

  /** How many bytes the server has not taken yet. */
  get unsent(): number {
    return this.redis.stream?.writableLength ?? 0
  }

  /** Sends a command by itself and gives its answer as it came, or the error as it came. */
  call(name: string, ...args: ReadonlyArray<EncodedArg>): Effect.Effect<RawReply, unknown> {
    return Effect.callback((resume) =>
      this.send(
        new Request(name, args, (_, reply, error) =>
          resume(error === undefined ? Effect.succeed(reply) : Effect.fail(error)))
      )
    )
  }

  /** The cause that ends or has ended it, as far as is known by now. */
  get cause(): Error {
    if (this.ended !== undefined) return this.ended
    const said = this.failure?.message ?? "the server closed the connection"
    // The handshake of TLS would have been read.
    if (this.redis.stream?.bytesRead !== 0) return this.failure ?? new Error(said)
    return Object.assign(new Error(`${said} ${unanswered}`), this.failure)
  }

  /** The socket is closed: what waits for an answer gets an error. */
  end(onEnd: OnEnd): void {
    const cause = this.cause
    this.ended = cause
    // First, so that whoever is told finds the connection dead.
    onEnd(cause)
    for (let request = this.unanswered.shift(); request !== undefined; request = this.unanswered.shift()) {
      request.reject(cause)
    }
  }

  /** Ends it at once: nothing more is sent, and what waits for an answer gets an error. */
  destroy(cause: Error): void {
    this.ended ??= cause
    this.redis.disconnect()
    this.redis.stream?.destroy()
  }
}

/** Opens a connection to one server, without a login. It has no time limit: who calls has one. */
export const open = (
  settings: Pick<ConnectionSettings, "tls" | "family" | "keepAlive" | "maxReplySize">,
  address: Address,
  onEnd: OnEnd
): Effect.Effect<Node, RedisError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const redis = make(settings, address)
      const node = new Node(address, redis)
      redis.on("error", (error: Error) => {
        node.failure ??= error
      })
      const end = () => node.end(onEnd)
      redis.once("connect", () => {
        Reader.attach(node, settings.maxReplySize)
        // It takes nothing more, and is closed only when what was written has left: nobody should be lent it meanwhile.
        redis.stream.once("end", end)
      })
      redis.on("close", end)
      yield* Effect.addFinalizer(() => closed(node))
      yield* restore(connected(node))
      if (yield* PoolContext.Unref) redis.stream.unref()
      return node
    })
  )

const make = (settings: Pick<ConnectionSettings, "tls" | "family" | "keepAlive">, address: Address): Redis =>
  new Redis({
    ...(address.path === undefined
      ? { host: address.host, port: address.port, family: settings.family }
      : { path: address.path }),
    keepAlive: settings.keepAlive,
    // By its own name: proxies that serve several servers tell them apart by it, and so may a server its certificates.
    ...(settings.tls === undefined ? {} : { tls: TlsOptions.withServerName(settings.tls, address.host) }),
    // The oldest protocol has one form for each answer, whatever the server's age.
    protocol: 2,
    lazyConnect: true,
    connectTimeout: 0,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true
  })

const connected = (node: Node): Effect.Effect<void, RedisError> =>
  Effect.callback<void, RedisError>((resume) => {
    node.redis.connect().then(
      () => resume(Effect.void),
      (error: unknown) => resume(Effect.fail(Fault.ofDial(addressText(node.address), node.failure ?? error, false)))
    )
  })

const goodbyeLimit = "1 second"

/** Says goodbye and waits until the server has hung up, since until then it counts the connection. */
const closed = (node: Node): Effect.Effect<void> =>
  Effect.suspend(() => {
    node.ended ??= new Error("the pool closed the connection")
    const { redis } = node
    const { stream } = redis
    redis.disconnect()
    if (stream === undefined || stream === null || stream.closed) return Effect.void
    const hungUp = Effect.callback<void>((resume) => {
      const onClose = () => resume(Effect.void)
      stream.once("close", onClose)
      return Effect.sync(() => stream.off("close", onClose))
    })
    return Effect.interruptible(hungUp).pipe(
      Effect.timeoutOption(goodbyeLimit),
      Effect.andThen(Effect.sync(() => {
        // A socket that is destroyed still needs somebody to listen to its errors.
        stream.on("error", () => {})
        stream.destroy()
      }))
    )
  })
