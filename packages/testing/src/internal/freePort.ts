import * as Effect from "effect/Effect"
import { createServer } from "node:net"

/**
 * A port below those the system gives to clients: nobody takes it by chance while its server is down, and a client
 * that dials it then can't be connected to itself.
 *
 * Processes that start together must not try the same ports, so this chance is not that of `Random`.
 */
export const candidatePort = (): number => {
  const [random = 0] = crypto.getRandomValues(new Uint16Array(1))
  return 20_000 + random % 12_000
}

/** A port nobody listens on just now. `failure` makes the error where one after the other is taken. */
export const freePort = <E>(failure: (detail: string, cause: unknown) => E): Effect.Effect<number, E> =>
  Effect.callback<number, E>((resume) => {
    const port = candidatePort()
    const probe = createServer()
    probe.once("error", (cause) => resume(Effect.fail(failure(`port ${port} is taken`, cause))))
    probe.listen(port, "127.0.0.1", () => probe.close(() => resume(Effect.succeed(port))))
  }).pipe(Effect.retry({ times: 20 }))
