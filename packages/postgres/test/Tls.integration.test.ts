import * as EmbeddedPostgres from "@effect-pools/testing/EmbeddedPostgres"
import * as TestCertificate from "@effect-pools/testing/TestCertificate"
import { PoolError } from "@effect-pools/core"
import { assert, it as test, layer } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { PgClient } from "@effect/sql-pg"
import { createServer, type Server, type Socket } from "node:net"
import { inspect } from "node:util"
import * as FakeBackend from "./fixtures/fakeBackend.ts"
import * as TlsServer from "./fixtures/tlsServer.ts"
import { active, Db, eventually, withDb } from "./support.ts"

const { certificate: ca, key } = TestCertificate

const secured = Effect.gen(function*() {
  const server = yield* EmbeddedPostgres.EmbeddedPostgres
  const port = yield* TlsServer.make(server)
  const { database, password, user: username } = server
  return { host: "localhost", port, username, password, database, maxConnections: 1, minConnections: 1 } as const
})

layer(EmbeddedPostgres.layer(), { excludeTestServices: true, timeout: "2 minutes" })("TLS", (it) => {
  it.effect("a private key is shown by nothing that a borrower holds", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* secured
      const secret = key.split("\n")[2]!
      yield* withDb(
        { ...server, ssl: { ca, key, cert: ca, passphrase: "CANARY-PASSPHRASE" } },
        Effect.gen(function*() {
          const client = yield* PgClient.PgClient
          const pool = yield* Db
          const all = yield* Db.withConnection((sql) => Effect.succeed([sql, sql.config, client, client.config, pool]))
          const held = yield* Effect.scoped(
            Effect.map(Db.acquire, (sql) => inspect(sql, { depth: 12, showHidden: true }))
          )
          for (const shown of [held, ...all.map((value) => inspect(value, { depth: 12, showHidden: true }))]) {
            assert.notInclude(shown, secret)
            assert.notInclude(shown, "CANARY-PASSPHRASE")
            assert.notInclude(shown, Redacted.value(server.password))
          }
        })
      )
    })))

  it.effect("a cancellation goes through TLS as well", () =>
    Effect.scoped(Effect.gen(function*() {
      yield* withDb(
        { ...(yield* secured), ssl: { ca } },
        Effect.gen(function*() {
          yield* Effect.exit(Effect.timeout(Db.query`SELECT pg_sleep(30)`, "100 millis"))
          yield* eventually("nothing runs", Effect.map(active, (n) => n === 0))
          yield* Db.query`SELECT 1`
          assert.strictEqual((yield* Db.stats).counts.opened, 1)
        })
      )
    })))

  it.effect("sslmode in the URL goes together with the authority in the options", () =>
    Effect.scoped(Effect.gen(function*() {
      const { database, host, password, port, username } = yield* secured
      const url = Redacted.make(
        `postgres://${username}:${Redacted.value(password)}@${host}:${port}/${database}?sslmode=require`
      )
      assert.deepStrictEqual(
        yield* withDb({ url, ssl: { ca }, maxConnections: 1 }, Db.query`SELECT 1 AS one`),
        [{ one: 1 }]
      )
      const error = yield* Effect.flip(withDb({ url, maxConnections: 1 }, Db.query`SELECT 1`))
      assert.match(error.message, /self-signed/i)
    })))

  for (
    const [what, ssl] of [
      ["rejectUnauthorized", { rejectUnauthorized: false }],
      ["checkServerIdentity", { ca, checkServerIdentity: () => undefined }]
    ] as const
  ) {
    it.effect(`verification that is switched off by ${what} is logged once and stands in the health`, () =>
      Effect.scoped(Effect.gen(function*() {
        const lines: Array<string> = []
        const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
        yield* withDb(
          { ...(yield* secured), ssl },
          Effect.gen(function*() {
            yield* Db.query`SELECT 1`
            yield* Db.retireAll
            yield* Db.query`SELECT 1`
            const { status, warnings } = yield* Db.health
            assert.strictEqual(status, "degraded")
            assert.deepStrictEqual(warnings.map(({ about }) => about), ["verification"])
          })
        ).pipe(Effect.provide(logger))
        assert.strictEqual(lines.filter((line) => line.includes(`ssl.${what}`)).length, 1)
      })))
  }
})

/** Begins SCRAM with these numbers. */
const scram = (numbers: string) =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer((socket) => {
        socket.on("error", () => {})
        socket.once("data", () => {
          socket.write(FakeBackend.message("R", 10, "SCRAM-SHA-256\0\0"))
          socket.once("data", (first) => {
            const nonce = /r=([^,\0]+)/.exec(first.toString("latin1"))?.[1]
            socket.write(FakeBackend.message("R", 11, `r=${nonce}x,s=c2FsdA==,${numbers}`))
          })
        })
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(Effect.map((server) => (server.address() as { readonly port: number }).port))

/** Asks for the password, and keeps what it is sent. */
const asking = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly got: Array<Buffer>; readonly close: () => void }>((resume) => {
    const got: Array<Buffer> = []
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("data", (data) => got.push(data))
      socket.once("data", () => socket.write(FakeBackend.message("R", 3)))
    })
    server.listen(0, "127.0.0.1", () => {
      const close = () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      }
      resume(Effect.succeed({ port: (server.address() as { readonly port: number }).port, got, close }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

for (
  const [what, requireAuth, isSent] of [
    ["is not sent in clear unless it was asked for", undefined, false],
    ["is not sent to a server that asks for it where SCRAM is required", ["scram-sha-256"], false],
    ["is sent in clear where that is accepted", ["password"], true]
  ] as const
) {
  test.live(`the password ${what}`, () =>
    Effect.scoped(Effect.gen(function*() {
      const server = yield* asking
      const options = {
        host: "127.0.0.1",
        port: server.port,
        username: "u",
        password: Redacted.make("CANARY-PASSWORD"),
        requireAuth,
        connectTimeout: "500 millis",
        acquireTimeout: "1 second",
        startup: "lazy",
        minConnections: 0
      } as const
      const error = yield* Effect.flip(Effect.provide(Db.query`SELECT 1`, Db.layerPoolOnly(options)))
      assert.strictEqual(Buffer.concat(server.got).includes("CANARY-PASSWORD"), isSent)
      if (isSent) return
      assert.instanceOf(error, PoolError.PoolError)
      assert.isFalse(error.isRetryable)
      assert.match(error.message, /asks for the password itself/)
    })))
}

test.live("a server that asks for too many rounds of SCRAM is left without computing them", () =>
  Effect.scoped(Effect.gen(function*() {
    const port = yield* scram("i=5000000")
    const options = { host: "127.0.0.1", port, username: "u", password: Redacted.make("p"), startup: "lazy" } as const
    let longest = 0
    let last = performance.now()
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 2)
    const error = yield* Effect.flip(
      Effect.provide(Db.query`SELECT 1`, Db.layerPoolOnly({ ...options, minConnections: 0 }))
    )
    clearInterval(watch)
    assert.match(error.message, /5000000 rounds of SCRAM/)
    // To compute them takes more than 2 seconds.
    assert.isBelow(longest, 500)
  })))

test.live("TLS options that can't be used are refused when the layer is built", () =>
  Effect.gen(function*() {
    const error = yield* Effect.flip(Effect.scoped(Layer.build(
      Db.layerPoolOnly({
        host: "127.0.0.1",
        port: 1,
        username: "u",
        startup: "lazy",
        ssl: { key: "nonsense", cert: ca }
      })
    )))
    assert.match(error.message, /option ssl: can't be used by node:tls/)
  }))
