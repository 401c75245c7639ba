import { PoolError } from "@effect-pools/core/PoolError"
import { RedisConnector, RedisError, RedisPool } from "@effect-pools/redis"
import { assert, describe, it } from "@effect/vitest"
import * as FakeServer from "./fixtures/fakeServer.ts"
import { Effect, Exit, Schedule, Scope } from "effect"
import { createServer, type Server, type Socket } from "node:net"

/** A server that answers a command with the next of the answers, and then says nothing more. */
const serve = (answers: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Server; readonly sockets: Set<Socket>; readonly port: number }>((resume) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        const left = [...answers]
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
        socket.on("data", (data) => {
          for (const _ of data.toString("latin1").matchAll(/(?:^|\n)\*\d+\r/g)) {
            const answer = left.shift()
            if (answer === "end") socket.end()
            else if (answer === "reset") socket.resetAndDestroy()
            else if (answer !== undefined) socket.write(answer)
          }
        })
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ server, sockets, port: (server.address() as { port: number }).port })))
    }),
    ({ server, sockets }) =>
      Effect.callback<void>((resume) => {
        for (const socket of sockets) {
          socket.destroy()
        }
        server.close(() =>
          resume(Effect.void)
        )
      })
  )

const ok = "+OK\r\n"
const pong = "+PONG\r\n"
/** What a login is answered: CLIENT SETNAME, CLIENT ID, PING. */
const login = [ok, ":7\r\n", pong]

const connect = Effect.fnUntraced(function*(port: number, onBroken: (cause: unknown) => void = () => {}) {
  const connector = yield* RedisConnector.make({ host: "127.0.0.1", port })
  return { connector, session: yield* connector.connect({ onBroken, onEnded: () => {} }) }
})

const dialFailure = (answers: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { port } = yield* serve(answers)
    const error = yield* Effect.flip(connect(port))
    return error instanceof RedisError.RedisError && error.reason._tag === "DialFailed"
      ? error.reason
      : assert.fail(String(error))
  }).pipe(Effect.scoped)

const gone = (sockets: ReadonlySet<Socket>) =>
  Effect.sync(() => sockets.size === 0).pipe(
    Effect.repeat({ until: (is) => is, schedule: Schedule.spaced("10 millis") }),
    Effect.timeout("5 seconds")
  )

describe("a dial", () => {
  it.live("to a server that loads its data fails, and is tried again", () =>
    Effect.gen(function*() {
      const reason = yield* dialFailure([ok, ":7\r\n", "-LOADING Redis is loading the dataset in memory\r\n"])
      assert.strictEqual(reason.code, "LOADING")
      assert.isTrue(reason.isRetryable)
    }))

  it.live("does without what an old server or a narrow user does not have", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(["-NOPERM no permissions\r\n", "-ERR unknown subcommand 'ID'\r\n", pong])
      const { connector, session } = yield* connect(port)
      assert.isUndefined(connector.inspect?.(session).tags["clientId"])
    }).pipe(Effect.scoped))

  it.live("takes a refusal of what nothing depends on in any words", () =>
    Effect.gen(function*() {
      for (
        const refusal of [
          "-ERR Syntax error, try CLIENT (LIST | KILL | GETNAME | SETNAME | PAUSE | REPLY)\r\n",
          "-unsupported command 'CLIENT'\r\n",
          "-ERR command 'CLIENT' is not supported\r\n",
          "-FORBIDDEN by the proxy\r\n"
        ]
      ) {
        const { port } = yield* serve([refusal, refusal, refusal])
        yield* connect(port)
        const { connector, session } = yield* connect((yield* serve([refusal, refusal, pong, refusal])).port)
        yield* connector.validate!(session)
      }
    }).pipe(Effect.scoped))

  it.live("tells of a server that takes nobody, also where the refusal comes first", () =>
    Effect.gen(function*() {
      for (
        const [code, refusal, why] of [
          ["ERR", "-ERR max number of clients reached\r\n", "capacity"],
          ["DENIED", "-DENIED Redis is running in protected mode\r\n", undefined],
          ["NOAUTH", "-NOAUTH Authentication required.\r\n", "credentials"]
        ] as const
      ) {
        const failed = yield* dialFailure([refusal, "end"])
        assert.deepStrictEqual([failed.code, failed.refusal], [code, why])
      }
    }))

  it.live("to something else than Redis fails", () =>
    Effect.gen(function*() {
      assert.include((yield* dialFailure(["HTTP/1.1 400 Bad Request\r\n\r\n"])).description, "RESP2")
      assert.include((yield* dialFailure([ok, ":7\r\n", "+HELLO\r\n"])).description, "no Redis server")
      assert.isTrue((yield* dialFailure(["end"])).isRetryable)
      assert.isTrue((yield* dialFailure([ok, "end"])).isRetryable)
    }))

  it.live("to a server that hangs up says whether it has answered anything", () =>
    Effect.gen(function*() {
      const hint =
        " before the first command was answered: this may be no Redis server, or one that wants TLS (option tls)"
      assert.strictEqual((yield* dialFailure(["end"])).description, `the server closed the connection${hint}`)
      const reset = yield* dialFailure(["reset"])
      assert.deepStrictEqual([reset.description, reset.code], [`read ECONNRESET${hint}`, "ECONNRESET"])
      assert.strictEqual((yield* dialFailure([ok, "end"])).description, "the server closed the connection")
    }))

  it.live("that is refused tells the address and the code", () =>
    Effect.gen(function*() {
      const port = yield* Effect.scoped(Effect.map(serve([]), ({ port }) => port))
      const error = yield* Effect.flip(Effect.scoped(connect(port)))
      assert(error instanceof RedisError.RedisError && error.reason._tag === "DialFailed")
      assert.strictEqual(error.message, `127.0.0.1:${port}: connect ECONNREFUSED`)
    }))

  it.live("to a server that accepts and says nothing ends at connectTimeout, and leaves no socket", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* serve([])
      const options = { host: "127.0.0.1", port, minConnections: 1, maxConnections: 1 } as const
      const pool = RedisPool.make({ ...options, connectTimeout: "100 millis", startupTimeout: "300 millis" })
      const error = yield* Effect.flip(Effect.scoped(pool))
      assert.instanceOf(error, PoolError)
      yield* gone(sockets)
    }).pipe(Effect.scoped))

  it.live("that is interrupted leaves no socket", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* serve([])
      yield* Effect.scoped(connect(port)).pipe(Effect.timeoutOption("100 millis"))
      yield* gone(sockets)
    }).pipe(Effect.scoped))
})

describe("a connection", () => {
  it.live("has the socket that the options ask for", () =>
    Effect.gen(function*() {
      const { port } = yield* serve(login)
      const options = { host: "127.0.0.1", port, family: 4, keepAlive: "5 seconds" } as const
      const connector = yield* RedisConnector.make(options)
      const session = yield* connector.connect({ onBroken: () => {}, onEnded: () => {} })
      const { redis } = yield* session.carrier.listener(undefined)
      assert.strictEqual(redis.options.family, 4)
      assert.strictEqual(redis.options.keepAlive, 5000)
      assert.isUndefined(redis.options.password ?? undefined)
    }).pipe(Effect.scoped))

  it.live("whose server sends what nobody asked for is broken", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* serve(login)
      const causes: Array<unknown> = []
      yield* connect(port, (cause) => causes.push(cause))
      for (const socket of sockets) socket.write("$5\r\nstray\r\n")
      yield* Effect.sync(() => causes.length).pipe(
        Effect.repeat({ until: (n) => n > 0, schedule: Schedule.spaced("10 millis") }),
        Effect.timeout("5 seconds")
      )
      yield* gone(sockets)
    }).pipe(Effect.scoped))

  it.live("whose server sends what is no protocol is broken", () =>
    Effect.gen(function*() {
      const { port } = yield* serve([...login, "@nonsense\r\n"])
      const { connector, session } = yield* connect(port)
      const redis = connector.lend!(session)
      const error = yield* Effect.flip(redis.get("a"))
      assert.strictEqual(error.reason._tag, "ConnectionLost")
      assert.isTrue(connector.isBroken!(session, Exit.void))
    }).pipe(Effect.scoped))

  it.live("says goodbye, and is destroyed if the server does not", () =>
    Effect.gen(function*() {
      const { port, sockets } = yield* serve(login)
      const scope = yield* Scope.make()
      yield* Scope.provide(connect(port), scope)
      for (const socket of sockets) socket.pause()
      yield* Scope.close(scope, Exit.void)
      for (const socket of sockets) socket.resume()
      yield* gone(sockets)
    }).pipe(Effect.scoped))
})

const slowly = (answer: string): FakeServer.Answer => (socket) => void setTimeout(() => socket.write(answer), 1500)

describe("the only node that is known", () => {
  it.live("of a cluster has all the time of connectTimeout", () =>
    Effect.gen(function*() {
      const own = `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$0\r\n\r\n:1\r\n$2\r\nme\r\n`
      const answers: Readonly<Record<string, FakeServer.Answer>> = {
        PING: slowly(pong),
        "CLUSTER SLOTS": own,
        "CLUSTER MYID": "$2\r\nme\r\n"
      }
      const server = yield* FakeServer.make((command) => answers[command] ?? FakeServer.polite(command))
      const nodes = [{ host: "127.0.0.1", port: server.port }]
      const connector = yield* RedisConnector.make({ cluster: { nodes } })
      yield* connector.connect({ onBroken: () => {}, onEnded: () => {} })
    }).pipe(Effect.scoped))

  it.live("of the sentinels has all the time of connectTimeout", () =>
    Effect.gen(function*() {
      const server = yield* FakeServer.make((command) => command.startsWith("SENTINEL") ? slowly("*-1\r\n") : "+OK\r\n")
      const sentinel = { name: "main", nodes: [{ host: "127.0.0.1", port: server.port }] }
      const connector = yield* RedisConnector.make({ sentinel })
      const error = yield* Effect.flip(connector.connect({ onBroken: () => {}, onEnded: () => {} }))
      assert.include(String(error), "knows no such server")
    }).pipe(Effect.scoped))
})
