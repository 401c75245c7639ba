/** An SMTP server in this process, on a free port, that asks for TLS and a password. */
import { TestCertificate } from "@effect-pools/testing"
import { Effect } from "effect"
import type { AddressInfo } from "node:net"
import { SMTPServer } from "smtp-server"

export interface MailServer {
  readonly host: string
  readonly port: number
  /** The letters that arrived. */
  readonly letters: Array<string>
  /** Connections that were greeted or turned away so far. */
  readonly visits: () => number
  /** Connections open now. */
  readonly connections: () => number
  /** While on, newcomers are turned away with a reply of 421. */
  readonly turnAway: (on: boolean) => void
}

const refusal = (code: number, message: string) => Object.assign(new Error(message), { responseCode: code })

export const make = (user: string, password: string) =>
  Effect.acquireRelease(
    Effect.callback<readonly [SMTPServer, MailServer]>((resume) => {
      const letters: Array<string> = []
      let visits = 0
      let isTurningAway = false
      const server = new SMTPServer({
        key: TestCertificate.key,
        cert: TestCertificate.certificate,
        disableReverseLookup: true,
        closeTimeout: 100,
        onConnect: (_session, done) => {
          visits++
          done(isTurningAway ? refusal(421, "too many connections") : null)
        },
        onAuth: ({ password: given, username }, _session, done) =>
          username === user && given === password ? done(null, { user }) : done(refusal(535, "who are you?")),
        onRcptTo: ({ address }, _session, done) =>
          done(address.startsWith("nobody@") ? refusal(550, "no such mailbox") : null),
        onData: (stream, _session, done) => {
          let letter = ""
          stream.setEncoding("utf8").on("data", (chunk: string) => {
            letter += chunk
          })
          stream.on("end", () => {
            letters.push(letter)
            done()
          })
        }
      })
      // A client that hangs up in the middle is its own affair.
      server.on("error", () => {})
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.server.address() as AddressInfo
        resume(Effect.succeed([server, {
          host: "127.0.0.1",
          port,
          letters,
          visits: () => visits,
          connections: () => server.connections.size,
          turnAway: (on) => {
            isTurningAway = on
          }
        }]))
      })
    }),
    ([server]) => Effect.callback<void>((resume) => server.close(() => resume(Effect.void)))
  ).pipe(Effect.map(([, mail]) => mail))
