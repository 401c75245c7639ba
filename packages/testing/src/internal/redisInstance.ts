/**
 * One Redis process and the faults it can be given.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { signal } from "./processTree.ts"
import type { EmbeddedRedisError } from "./redisError.ts"
import type { Home } from "./redisHome.ts"
import { type Address, ask, askerName, type Reply } from "./redisReply.ts"
import * as Server from "./redisServer.ts"

/**
 * A client's connection, as the server sees it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client {
  readonly id: number
  readonly name: string
  /** The database it has selected. */
  readonly db: number
  /** Its last command, such as `"get"`. */
  readonly command: string
  /** As in CLIENT LIST: `"N"` for nothing special, `"x"` within a transaction, `"P"` for a subscriber, ... */
  readonly flags: string
}

/**
 * A running server and the faults it can be given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Instance {
  /** Its password included. */
  readonly url: Redacted.Redacted
  readonly host: string
  /** The same after each restart. */
  readonly port: number
  /** Where it speaks TLS, with the certificate of `TestCertificate`; `undefined` unless asked for. */
  readonly tlsPort: number | undefined
  readonly password: Redacted.Redacted | undefined
  /** The process id of the server; `undefined` while it is down. */
  readonly pid: Effect.Effect<number | undefined>
  /** The last lines of the server's log. */
  readonly log: Effect.Effect<ReadonlyArray<string>>
  /** Runs a command over a connection of its own. */
  readonly command: (...args: ReadonlyArray<string | number>) => Effect.Effect<Reply, EmbeddedRedisError>
  /** The connections of clients, without those of this module and of replicas. */
  readonly clients: Effect.Effect<ReadonlyArray<Client>, EmbeddedRedisError>
  /** Kills the server. It stays down until `start`. */
  readonly kill9: Effect.Effect<void>
  /** Ends the server in order. It stays down until `start`. */
  readonly shutDown: Effect.Effect<void>
  /** Starts the server if it is down, without the data it had unless its settings save them. */
  readonly start: Effect.Effect<void, EmbeddedRedisError>
  /** Crashes the server and starts it again, on the same port. */
  readonly restart: Effect.Effect<void, EmbeddedRedisError>
  /** Freezes the server: it still accepts in the kernel, and answers nothing until `cont`. */
  readonly stop: Effect.Effect<void>
  /** Lets a frozen server go on. */
  readonly cont: Effect.Effect<void>
}

/** Runs something at the ports chosen for it. */
export interface Recipe {
  readonly password: string | undefined
  readonly isSentinel: boolean
  /** How many ports it needs; the first is where it speaks plainly. */
  readonly ports: number
  readonly tlsPort: (ports: ReadonlyArray<number>) => number | undefined
  readonly lines: (ports: ReadonlyArray<number>) => ReadonlyArray<string>
  readonly files: Readonly<Record<string, string>>
}

export interface Started {
  readonly instance: Instance
  readonly ports: ReadonlyArray<number>
}

/** Starts it on free ports, of which another program may take one between the look and the start. */
export const make = (home: Home, recipe: Recipe): Effect.Effect<Started, EmbeddedRedisError, Scope.Scope> =>
  Effect.retry(attempt(home, recipe), { times: 5, while: Server.isPortTaken })

const attempt = Effect.fnUntraced(
  function*(home: Home, recipe: Recipe): Effect.fn.Return<Started, EmbeddedRedisError, Scope.Scope> {
    const { files, isSentinel, password } = recipe
    const ports = yield* Server.freePorts(recipe.ports)
    const address = { host: Server.host, port: ports[0] ?? 0, password }
    const plan: Server.Plan = { home, address, isSentinel, lines: recipe.lines(ports), files }
    yield* Server.prepare(plan)
    const controls = yield* makeControls(plan)
    yield* Effect.addFinalizer(() => controls.kill9)
    yield* controls.start
    return { instance: { ...describe(address, recipe.tlsPort(ports)), ...controls }, ports }
  }
)

const describe = (address: Address, tlsPort: number | undefined): Omit<Instance, keyof Controls> => {
  const { host, password, port } = address
  const login = password === undefined ? "" : `:${encodeURIComponent(password)}@`
  return {
    url: Redacted.make(`redis://${login}${host}:${port}`),
    host,
    port,
    tlsPort,
    password: password === undefined ? undefined : Redacted.make(password),
    command: (...args) => ask(address, args),
    clients: Effect.map(ask(address, ["CLIENT", "LIST"]), toClients)
  }
}

type Controls = Pick<Instance, "pid" | "log" | "kill9" | "shutDown" | "start" | "restart" | "stop" | "cont">

/** One control at a time: a restart and a kill must not meet half-way. */
const makeControls = (plan: Server.Plan): Effect.Effect<Controls> =>
  Effect.map(Semaphore.make(1), (turn) => {
    let server: Server.Server | undefined
    const up = (): Server.Server | undefined => server !== undefined && Server.isRunning(server) ? server : undefined
    const whileUp = (f: (server: Server.Server) => Effect.Effect<unknown>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const running = up()
        return running === undefined ? Effect.void : Effect.asVoid(f(running))
      })
    const kill9 = Effect.uninterruptible(whileUp(Server.kill))
    // On its own port: whoever holds it for a moment, such as a client's last packets, is waited for.
    const start = Effect.suspend(() => up() === undefined ? Server.start(plan) : Effect.succeed(server)).pipe(
      Effect.retry({
        times: 20,
        schedule: Schedule.spaced("100 millis"),
        while: (error) => server !== undefined && Server.isPortTaken(error)
      }),
      Effect.map((started) => void (server = started))
    )
    return {
      pid: Effect.sync(() => up()?.pid),
      log: Effect.sync(() => [...(server?.log ?? [])]),
      kill9: turn.withPermit(kill9),
      shutDown: turn.withPermit(whileUp(Server.shutDown)),
      start: turn.withPermit(start),
      restart: turn.withPermit(Effect.andThen(kill9, start)),
      stop: turn.withPermit(whileUp(({ pid }) => Effect.sync(() => signal(pid, "SIGSTOP")))),
      cont: turn.withPermit(whileUp(({ pid }) => Effect.sync(() => signal(pid, "SIGCONT"))))
    }
  })

const toClients = (list: Reply): ReadonlyArray<Client> =>
  String(list).split("\n").filter((line) => line !== "").map(toFields)
    .filter((field) => field("name") !== askerName && !/[SM]/.test(field("flags")))
    .map((field) => ({
      id: Number(field("id")),
      name: field("name"),
      db: Number(field("db")),
      command: field("cmd"),
      flags: field("flags")
    }))

const toFields = (line: string): (name: string) => string => {
  const fields = new Map(line.split(" ").map((field) => [field.split("=", 1)[0], field.slice(field.indexOf("=") + 1)]))
  return (name) => fields.get(name) ?? ""
}
