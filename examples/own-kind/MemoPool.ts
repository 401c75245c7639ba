/** Pools for MEMO, a text protocol of lines: `USE area`, `PUT key value`, `GET key`, `PING`. One answer for each request. */
import { ConnectionPool, type Connector, OptionRules, type PoolConfig } from "@effect-pools/core"
import { type PoolError, type PoolKind, PoolService } from "@effect-pools/core"
import { Data, Effect } from "effect"
import * as Net from "node:net"
import * as Readline from "node:readline"

export const kind: PoolKind.PoolKind = { name: "memo", defaults: { maxConnections: 4, idleTimeout: "1 minute" } }

export class MemoError extends Data.TaggedError("MemoError")<{ readonly message: string }> {}

const lost = Effect.fail(new MemoError({ message: "the connection is lost" }))

/** A connection, as the pool holds it and as a borrower gets it. */
export class Session {
  isBroken = false
  /** Whether the borrower has left the area in which connections are lent. */
  hasMoved = false
  #answer: ((answer: Effect.Effect<string, MemoError>) => void) | undefined
  readonly #send: (request: string, session: Session) => void

  constructor(send: (request: string, session: Session) => void) {
    this.#send = send
  }

  /** An answer that nobody waits for any more would be taken for the next one's, so that ends the connection. */
  ask(request: string): Effect.Effect<string, MemoError> {
    return Effect.callback((resume) => {
      if (this.isBroken) return resume(lost)
      this.hasMoved ||= request.startsWith("USE ")
      this.#answer = resume
      this.#send(request, this)
      return Effect.sync(() => void (this.isBroken = true))
    })
  }

  receive(line: string): void {
    const [, message] = /^ERROR (.*)/.exec(line) ?? []
    this.#answer?.(message === undefined ? Effect.succeed(line) : Effect.fail(new MemoError({ message })))
  }

  end(): void {
    this.isBroken = true
    this.#answer?.(lost)
  }
}

export interface MemoOptions extends PoolConfig.PoolOptions {
  readonly host?: string | undefined
  readonly port: number
}

const dial = (port: number, host: string): Connector.Connector<Session>["connect"] =>
  Effect.fnUntraced(function*({ onBroken }) {
    const open = Effect.sync(() => Net.connect(port, host))
    const socket = yield* Effect.acquireRelease(open, (socket) => Effect.sync(() => void socket.destroy()))
    const session = new Session((request) => socket.write(`${request}\n`))
    // The reader of lines repeats the socket's errors.
    Readline.createInterface(socket).on("line", (line) => session.receive(line)).on("error", () => {})
    socket.on("close", () => (session.end(), onBroken("the server closed the connection")))
    yield* Effect.callback<void, MemoError>((resume) => {
      socket.on("connect", () => resume(Effect.void))
      socket.on("error", ({ message }) => resume(Effect.fail(new MemoError({ message }))))
    })
    return session
  })

/** The protocol, as far as the pool needs to know it. */
const care: Omit<Connector.Connector<Session>, "connect"> = {
  validate: (session) => session.ask("PING"),
  isBroken: (session) => session.isBroken,
  reset: (session) => session.hasMoved ? Effect.map(session.ask("USE main"), () => session.hasMoved = false) : undefined
}

const rules = { host: OptionRules.text, port: OptionRules.count(1, 65535) }

const makePool = (id: string, options: MemoOptions, connect?: Connector.Connector<Session>["connect"]) =>
  Effect.flatMap(
    Effect.fromResult(OptionRules.split(rules, options, id)),
    ({ own: { host = "localhost", port }, pool }) =>
      ConnectionPool.make({ ...care, connect: connect ?? dial(port, host) }, { ...pool, kind })
  )

/** The members of a pool beyond lending; `Env` is what a member asks for. */
export interface MemoMembers<out Env = never> {
  readonly get: (key: string) => Effect.Effect<string, MemoError | PoolError.PoolError, Env>
  readonly put: (key: string, value: string) => Effect.Effect<void, MemoError | PoolError.PoolError, Env>
}

export interface MemoPool extends ConnectionPool.ConnectionPool<Session>, MemoMembers {}

type Script = (request: string) => string

const backend: PoolService.Backend<MemoPool, Session, MemoOptions, Script> = {
  operations: {
    methods: {
      get: (pool, key: string) => pool.withConnection((session) => session.ask(`GET ${key}`)),
      put: (pool, key: string, value: string) => pool.withConnection((session) => session.ask(`PUT ${key} ${value}`))
    }
  },
  make: makePool,
  makeTest: (id, script, options) =>
    makePool(
      id,
      { port: 1, ...PoolService.quiet, ...options },
      () => Effect.sync(() => new Session((request, session) => session.receive(script(request))))
    )
}

export interface MemoPoolClass<in out Self, in out Id extends string>
  extends
    ConnectionPool.PoolServiceClass<Self, Id, Session, MemoPool>,
    MemoMembers<Self>,
    PoolService.Layers<Self, Session, MemoOptions, Script>
{}

export const Service = <Self>() => <const Id extends string>(id: Id): MemoPoolClass<Self, Id> =>
  PoolService.make<MemoPoolClass<Self, Id>>(id, backend)
