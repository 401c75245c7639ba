/**
 * Watches a login before the driver, which answers whatever the server asks: a server that asks for more than it may is hung
 * up on, and the driver hears nothing of it.
 */
import * as PgProtocol from "@effect/sql-pg/PgProtocol"
import * as Result from "effect/Result"
import type { Duplex } from "node:stream"
import type { AuthMethod } from "../PostgresConfig.ts"

interface Terms {
  readonly requireAuth: ReadonlyArray<AuthMethod> | undefined
  /** Whether nobody on the way can read along. */
  readonly isPrivate: boolean
}

interface Guard {
  /** Why the login was ended. */
  readonly refusal: string | undefined
}

/** To be called before the driver gets the socket. Until the login is over it sees only what may be answered. */
export const watch = (socket: Duplex, terms: Terms): Guard => {
  const guard: { refusal: string | undefined } = { refusal: undefined }
  const login = new Login(terms)
  const parser = PgProtocol.makeParser()
  const { emit } = socket
  const read = (chunk: Uint8Array): void => {
    const messages = Result.try(() => parser.push(chunk))
    // The driver reads the same bytes, and tells of those that can't be read.
    if (Result.isFailure(messages)) return void Object.assign(socket, { emit })
    for (const message of messages.success) {
      guard.refusal ??= login.take(message)
      if (message._tag === "ReadyForQuery") Object.assign(socket, { emit })
    }
    if (guard.refusal !== undefined) socket.destroy(new Error(guard.refusal))
  }
  // One listener beside the driver's could not keep anything from it.
  Object.assign(socket, {
    emit: (event: string | symbol, ...args: ReadonlyArray<unknown>): boolean => {
      if (event === "data" && args[0] instanceof Uint8Array) {
        read(args[0])
        if (guard.refusal !== undefined) return true
      }
      return Reflect.apply(emit, socket, [event, ...args])
    }
  })
  return guard
}

/** More rounds hold up the whole program while they are computed. The server's default is 4096. */
const mostRounds = 200_000

class Login {
  private readonly terms: Terms
  private isAsked = false

  constructor(terms: Terms) {
    this.terms = terms
  }

  /** The reason to go no further. */
  take(message: PgProtocol.BackendMessage): string | undefined {
    switch (message._tag) {
      case "AuthenticationCleartextPassword":
        return this.asked("password")
      case "AuthenticationMD5Password":
        return this.asked("md5")
      case "AuthenticationSASL":
        return this.asked("scram-sha-256")
      case "AuthenticationSASLContinue": {
        const rounds = Number(
          /(?:^|,)i=(\d{1,15})/.exec(Buffer.from(message.data).toString("latin1").slice(0, 2000))?.[1] ?? 0
        )
        return rounds > mostRounds
          ? `the server asks for ${rounds} rounds of SCRAM, and more than ${mostRounds} are not computed`
          : undefined
      }
      case "AuthenticationOk":
        return this.isAsked ? undefined : this.asked("none")
      default:
        return undefined
    }
  }

  private asked(method: AuthMethod): string | undefined {
    this.isAsked = true
    const { isPrivate, requireAuth } = this.terms
    if (requireAuth !== undefined) {
      return requireAuth.includes(method)
        ? undefined
        : `the server asks for ${said[method]}, and requireAuth accepts ${requireAuth.join(" or ")}`
    }
    return method === "password" && !isPrivate
      ? "the server asks for the password itself over a connection that is not encrypted: use ssl, or accept it with " +
        "requireAuth: [\"password\"]"
      : undefined
  }
}

const said: Readonly<Record<AuthMethod, string>> = {
  none: "no proof of who logs in (none)",
  password: "the password itself (password)",
  md5: "an MD5 hash of the password (md5)",
  "scram-sha-256": "a proof by SCRAM (scram-sha-256)"
}
