/** The pool of SMTP sessions, and the one thing that the program does with it. */
import { type PoolConfig, ResourcePool } from "@effect-pools/core"
import { Effect } from "effect"
import { RateLimiter } from "effect/persistence"
import { compose, type Letter, type Server, Session } from "./Session.ts"

export class Mailer extends ResourcePool.Service<Mailer, Session>()("app/Mailer") {
  static readonly to = (server: Server, pool: PoolConfig.PoolOptions = {}) =>
    this.layer({
      ...pool,
      acquire: Session.open(server),
      validate: (session) => session.reset,
      // A letter that was accepted leaves nothing behind; a refused one may have left its envelope.
      reset: (session, exit) => exit._tag === "Success" ? undefined : session.reset,
      isBroken: (session) => session.isBroken,
      inspect: () => ({ tags: { server: `${server.host}:${server.port}` } })
    })
}

/** What the provider allows. Beyond it letters wait for their turn, before they take a connection. */
export const rate = { key: "smtp", limit: 20, window: "1 second", algorithm: "token-bucket" } as const

export const send = Effect.fnUntraced(function*(letter: Letter) {
  yield* RateLimiter.sleep(yield* RateLimiter.RateLimiter, rate)
  const message = yield* compose(letter)
  return yield* Mailer.withConnection((session) => session.send(message), { label: "send mail" })
})
