/** One SMTP session: the client library's connection, with every command an effect. */
import { Data, Effect, Redacted, type Scope } from "effect"
import MailComposer from "nodemailer/lib/mail-composer"
import SMTPConnection from "nodemailer/lib/smtp-connection"

export interface Server {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: Redacted.Redacted
  /** Who may have signed the server's certificate, if not a public authority. */
  readonly ca?: string | undefined
}

export interface Letter {
  readonly from: string
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** A letter as it goes over the wire. */
export interface Message {
  readonly envelope: { readonly from: string; readonly to: string }
  readonly text: Buffer
}

/** Addresses and subjects are data: the composer sees to it that no line of them becomes a header. */
export const compose = ({ from, subject, text, to }: Letter): Effect.Effect<Message> =>
  Effect.map(
    Effect.promise(() => new MailComposer({ from, subject, text, to }).compile().build()),
    (text) => ({ envelope: { from, to }, text })
  )

export class SmtpError extends Data.TaggedError("SmtpError")<{
  readonly message: string
  /** The server's reply; without one the connection was lost. */
  readonly reply: number | undefined
  readonly isRetryable: boolean
}> {}

interface Failure extends Error {
  readonly responseCode?: number | undefined
}

/** A reply of 5xx stays the same however often one asks; everything else may pass. */
const toError = (error: Failure): SmtpError =>
  new SmtpError({
    message: error.message,
    reply: error.responseCode,
    isRetryable: error.responseCode === undefined || error.responseCode < 500
  })

export class Session {
  // Private to the runtime too: the library keeps the password in it, and nothing may print it.
  readonly #connection: SMTPConnection
  #isUnsure = false
  #lastError: Failure = new Error("the connection is closed")

  private constructor(server: Server) {
    this.#connection = new SMTPConnection({
      host: server.host,
      port: server.port,
      requireTLS: true,
      tls: server.ca === undefined ? {} : { ca: server.ca },
      // After the farewell nothing is left to wait for.
      socketCloseTimeout: 0
    })
    this.#connection.on("error", (error: Failure) => {
      this.#lastError = error
    })
  }

  /** Connects and logs in. Whatever fails or interrupts it, the scope closes the socket. */
  static readonly open: (server: Server) => Effect.Effect<Session, SmtpError, Scope.Scope> = Effect.fnUntraced(
    function*(server) {
      const session = yield* Effect.acquireRelease(Effect.sync(() => new Session(server)), (session) => session.#close)
      const { password, user } = server
      yield* session.#run<void>((done) => session.#connection.connect(done))
      yield* session.#run<unknown>((done) => session.#connection.login({ user, pass: Redacted.value(password) }, done))
      return session
    }
  )

  send({ envelope, text }: Message): Effect.Effect<string, SmtpError> {
    return Effect.map(
      this.#run<{ readonly response: string }>((done) => this.#connection.send(envelope, text, done)),
      ({ response }) => response
    )
  }

  /**
   * Forgets a letter that was begun. It proves as well as NOOP, for which the library has no public call, that the
   * server still answers.
   */
  get reset(): Effect.Effect<unknown, SmtpError> {
    return this.#run<unknown>((done) => this.#connection.reset(done))
  }

  /** The server has hung up, or nobody knows which reply comes next. */
  get isBroken(): boolean {
    return this.#isUnsure || this.#connection.destroyed
  }

  /** An interrupted command leaves the session unsure: a RSET now might be a line of the letter. */
  #run<A>(command: (done: (error?: Failure | null, a?: A) => void) => void): Effect.Effect<A, SmtpError> {
    return Effect.callback((resume) => {
      const onEnd = () => resume(Effect.fail(toError(this.#lastError)))
      this.#connection.once("end", onEnd)
      this.#isUnsure = true
      command((error, a) => {
        this.#connection.off("end", onEnd)
        // 421: the server hangs up after this reply.
        this.#isUnsure = error?.responseCode === 421
        resume(error ? Effect.fail(toError(error)) : Effect.succeed(a as A))
      })
      return Effect.sync(() => this.#connection.off("end", onEnd))
    })
  }

  /** Says QUIT if the server still listens. The pool bounds it by `closeTimeout`, so it must be interruptible. */
  get #close(): Effect.Effect<void> {
    const hangUp = Effect.sync(() => this.#connection.close())
    return Effect.suspend(() => {
      if (this.isBroken || this.#connection.stage === "init") return hangUp
      const farewell = Effect.callback<void>((resume) => {
        this.#connection.once("end", () => resume(Effect.void))
        this.#connection.quit()
      })
      return Effect.onInterrupt(Effect.interruptible(farewell), () => hangUp)
    })
  }
}
