/**
 * The way to the server: a TCP or Unix socket, with TLS over it if that is wanted.
 *
 * The driver could open it itself, but not let anybody see what the server asks for during the login, and what it throws
 * during a handshake would reach nobody.
 */
import * as PgProtocol from "@effect/sql-pg/PgProtocol"
import * as OptionRules from "@effect-pools/core/OptionRules"
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { ConnectionSettings } from "./settings.ts"

type Target = Pick<ConnectionSettings, "host" | "port" | "ssl" | "driver">

export const isUnixSocket = (host: string): boolean => host.startsWith("/")

/** Opens one, ready for the first message of the login. Whoever takes it closes it. */
export const open = (target: Target): Effect.Effect<Net.Socket, SqlError> =>
  Effect.callback<Net.Socket, SqlError>((resume) => {
    let isOver = false
    let socket: Net.Socket
    const end = (result: Effect.Effect<Net.Socket, SqlError>): void => {
      if (isOver) return
      isOver = true
      resume(result)
    }
    const fail = (cause: unknown, message: string): void => {
      end(Effect.fail(failed(cause, message)))
      socket.destroy()
    }
    // The first listener for errors stays for good, so that there is one in whatever state the socket is.
    const follow = (next: Net.Socket): Net.Socket => {
      next.on("error", (cause) => fail(cause, "PgConnection: Failed to connect"))
      next.on(
        "close",
        () => fail(new Error("Connection closed unexpectedly"), "PgConnection: Connection closed during startup")
      )
      return next
    }
    const raw = dialed(target)
    socket = follow(raw)
    raw.once("connect", () => {
      if (target.ssl === false) {
        return end(Effect.succeed(raw))
      }
      raw.write(PgProtocol.encodeSslRequest())
      raw.once("data", (chunk: Buffer) => {
        const refusal = refusalOf(chunk)
        if (refusal !== undefined) {
          return fail(new Error(refusal.cause), refusal.message)
        }
        const secured = Result.try(() => follow(secure(target, raw)))
        if (Result.isFailure(secured)) return fail(secured.failure, "PgConnection: Failed to connect")
        socket = secured.success
        socket.once("secureConnect", () => end(Effect.succeed(socket)))
      })
    })
    return Effect.sync(() => {
      isOver = true
      socket.destroy()
    })
  })

const dialed = ({ driver, host, port }: Target): Net.Socket =>
  isUnixSocket(host) ? Net.connect({ path: `${host}/.s.PGSQL.${port}` }) : Net.connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: OptionRules.millisOf(driver.keepAlive) ?? 30_000
  })

const secure = ({ host, ssl }: Target, socket: Net.Socket): Net.Socket =>
  Tls.connect({ host, ...TlsOptions.withServerName(typeof ssl === "object" ? ssl : {}, host), socket })

interface Refusal {
  readonly cause: string
  readonly message: string
}

/** The objection to going on after the answer to the request for TLS, which is one byte. */
const refusalOf = (chunk: Uint8Array): Refusal | undefined => {
  if (chunk.length === 1 && chunk[0] === accepted) return undefined
  if (chunk.length === 1 && chunk[0] === declined) {
    return { cause: "The server does not support TLS", message: "PgConnection: Server refused TLS" }
  }
  const message = chunk[0] === errorResponse
    ? Result.getOrUndefined(Result.try(() => PgProtocol.makeParser().push(chunk)[0]))
    : undefined
  return message?._tag === "ErrorResponse"
    ? { cause: message.fields.message ?? "", message: "PgConnection: Failed to negotiate TLS" }
    : {
      cause: `Received ${chunk.length} bytes in response to SSLRequest`,
      message: "PgConnection: Invalid SSLRequest response"
    }
}

const accepted = 0x53
const declined = 0x4e
const errorResponse = 0x45

const failed = (cause: unknown, message: string): SqlError =>
  new SqlError({ reason: new ConnectionError({ cause, message, operation: "connect" }) })
