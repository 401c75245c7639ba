/** One gRPC connection, with calls as effects. */
import { Client, connectivityState, credentials, type MethodDefinition, status } from "@grpc/grpc-js"
import { Data, Effect, type Scope } from "effect"
import { check } from "./prices.ts"

export class CallError extends Data.TaggedError("CallError")<{
  /** The status by name, such as `NOT_FOUND`. */
  readonly status: string
  readonly message: string
  /** Whether the same call may succeed later: what the server said of itself and not of the request. */
  readonly isRetryable: boolean
}> {}

const passing = new Set([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.ABORTED, status.DEADLINE_EXCEEDED])

export const callError = (code: status, details: string): CallError =>
  new CallError({ status: status[code], message: `${status[code]}: ${details}`, isRetryable: passing.has(code) })

export class Channel {
  private readonly client: Client

  private constructor(address: string) {
    this.client = new Client(address, credentials.createInsecure(), {
      // By default all clients of one address share one HTTP/2 connection; here each is a connection of the pool.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      // The library dials once more when this time has passed after a dial that failed, even if it was closed meanwhile;
      // should the server be back by then, nobody would close that connection. So it is short: the pool paces the dials.
      "grpc.initial_reconnect_backoff_ms": 1,
      "grpc.max_reconnect_backoff_ms": 1
    })
  }

  /** Connects, and asks whether the service serves: a server that is still starting up is not a connection. */
  static readonly open: (address: string) => Effect.Effect<Channel, CallError, Scope.Scope> = Effect.fnUntraced(
    function*(address) {
      const channel = yield* Effect.acquireRelease(
        Effect.sync(() => new Channel(address)),
        ({ client }) => Effect.sync(() => client.close())
      )
      yield* channel.health
      return channel
    }
  )

  /** The call ends at the deadline, a time in milliseconds, on the server too; and when its caller is interrupted. */
  call<Request, Answer>(
    method: MethodDefinition<Request, Answer>,
    request: Request,
    deadline = Infinity
  ): Effect.Effect<Answer, CallError> {
    return Effect.callback((resume) => {
      const { path, requestSerialize, responseDeserialize } = method
      const call = this.client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, { deadline }, (
        error,
        answer
      ) =>
        resume(error === null ? Effect.succeed(answer as Answer) : Effect.fail(callError(error.code, error.details))))
      return Effect.sync(() => call.cancel())
    })
  }

  /** Bounded by the pool: `connectTimeout` when it is opened, `validateTimeout` later. */
  get health(): Effect.Effect<void, CallError> {
    return Effect.flatMap(
      this.call(check, {}),
      (serves) => serves ? Effect.void : Effect.fail(callError(status.UNAVAILABLE, "the service does not serve"))
    )
  }

  /** A channel that has lost its connection would dial again by itself; that is the pool's to do. */
  get isBroken(): boolean {
    return this.client.getChannel().getConnectivityState(false) !== connectivityState.READY
  }
}
