import { type HttpConfig, HttpPools } from "@effect-pools/http"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Redacted, Result, Schedule } from "effect"
import { HttpClient } from "effect/http"
import { inspect } from "node:util"
import * as Proxy from "../src/internal/proxy.ts"
import * as ProxyServer from "./fixtures/proxy.ts"
import * as Servers from "./fixtures/servers.ts"
import { Api, eventually, trusted, withApi } from "./support.ts"

const text = (path: string) => Effect.flatMap(Api.get(path), (response) => response.text)

const quick = Schedule.recurs(2)

const echo = (request: { readonly headers: object; readonly url?: string | undefined }): string =>
  JSON.stringify([request.url, "proxy-authorization" in request.headers])

describe("a proxy", () => {
  it.live("leads to origins without TLS, with TLS and with HTTP/2, and its password goes to it alone", () =>
    Effect.gen(function*() {
      const plain = yield* Servers.plain((request, response) => response.end(echo(request)))
      const secure = yield* Servers.secure((request, response) => response.end(echo(request)))
      const h2 = yield* Servers.h2((request, response) => response.end(echo(request)))
      for (const isTls of [false, true]) {
        const proxy = yield* ProxyServer.make({ isTls })
        const url = Redacted.make(`${isTls ? "https" : "http"}://ada:p%40ss@localhost:${proxy.port}`)
        const given = { http: url, https: url, tls: trusted }
        for (const { origin } of [plain, secure, h2]) {
          yield* withApi(
            { origin, maxConnections: 1, proxy: given, tls: origin.startsWith("https:") ? trusted : undefined },
            Effect.gen(function*() {
              for (const path of ["/a?b=c", "/d"]) assert.strictEqual(yield* text(path), JSON.stringify([path, false]))
              const shown = inspect(yield* Api.connections, { depth: 9 }) + inspect(yield* Api.health, { depth: 9 })
              assert.notInclude(shown, "p@ss")
            })
          )
        }
        const basic = `Basic ${Buffer.from("ada:p@ss").toString("base64")}`
        assert.deepStrictEqual(proxy.seen, [
          `GET ${plain.origin}/a?b=c ${basic}`,
          `GET ${plain.origin}/d ${basic}`,
          `CONNECT localhost:${secure.port} ${basic}`,
          `CONNECT localhost:${h2.port} ${basic}`
        ])
        yield* eventually("no connection is left", Effect.sync(() => proxy.connections() === 0))
      }
    }))

  it.live("that refuses is told by its status, and is not asked again where that is in vain", () =>
    Effect.gen(function*() {
      const server = yield* Servers.secure((_, response) => response.end("ok"))
      for (const [status, attempts] of [[407, 1], [403, 1], [502, 3]] as const) {
        const proxy = yield* ProxyServer.make({ status })
        yield* withApi(
          {
            origin: server.origin,
            tls: trusted,
            proxy: Redacted.make(`http://ada:canary@127.0.0.1:${proxy.port}`),
            retry: quick
          },
          Effect.gen(function*() {
            const error = yield* Effect.flip(Api.get("/"))
            assert.include(error.message, `the proxy answered CONNECT with status ${status}`)
            assert.include(error.message, `by way of the proxy 127.0.0.1:${proxy.port}`)
            assert.notInclude(inspect(error, { depth: 12 }), "canary")
            assert.strictEqual(proxy.seen.length, attempts)
            yield* eventually("no connection is left", Effect.sync(() => proxy.connections() === 0))
          })
        )
      }
    }))

  it.live("that speaks for the origin, or swallows the tunnel, is no way to it", () =>
    Effect.gen(function*() {
      const server = yield* Servers.secure((_, response) => response.end("ok"))
      const talking = yield* ProxyServer.make({ after: "HTTP/1.1 200 OK\r\n\r\nforged" })
      const options = { origin: server.origin, tls: trusted, retry: quick, connectTimeout: "300 millis" } as const
      yield* withApi(
        { ...options, proxy: `http://127.0.0.1:${talking.port}` },
        Effect.flip(Api.get("/"))
      )
      const silent = yield* ProxyServer.make({ isSilent: true })
      const proxy = `http://127.0.0.1:${silent.port}`
      yield* withApi(
        { ...options, proxy },
        Effect.gen(function*() {
          yield* Effect.flip(Api.get("/"))
          yield* eventually("no connection is left", Effect.sync(() => silent.connections() === 0))
        })
      )
      yield* withApi(
        { ...options, proxy, connectTimeout: "5 seconds" },
        Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(Api.get("/"))
          yield* eventually("the dial is under way", Effect.sync(() => silent.connections() === 1))
          yield* Fiber.interrupt(fiber)
        })
      )
      yield* eventually("the dial is given up with its pool", Effect.sync(() => silent.connections() === 0))
    }))

  it.live("is that of the environment when it is asked for, and leaves NO_PROXY alone", () =>
    Effect.gen(function*() {
      const server = yield* Servers.plain((request, response) => response.end(echo(request)))
      const proxy = yield* ProxyServer.make()
      const get = Effect.provide(
        Effect.flatMap(HttpClient.get(`${server.origin}/`), (response) => response.text),
        HttpPools.layer({ proxy: "environment" })
      )
      const within = (env: Record<string, string>) =>
        Effect.provideService(get, ConfigProvider.ConfigProvider, ConfigProvider.fromEnvRecord(env))
      yield* within({ HTTP_PROXY: `127.0.0.1:${proxy.port}` })
      assert.strictEqual(proxy.seen.length, 1)
      yield* within({ HTTP_PROXY: `127.0.0.1:${proxy.port}`, NO_PROXY: "example.com, 127.0.0.0/8" })
      yield* within({ HTTPS_PROXY: `127.0.0.1:${proxy.port}` })
      yield* within({})
      assert.strictEqual(proxy.seen.length, 1)
      yield* within({ http_proxy: `http://127.0.0.1:${proxy.port}`, HTTP_PROXY: "http://127.0.0.1:1" })
      assert.strictEqual(proxy.seen.length, 2)
    }))
})

describe("the option proxy", () => {
  const host = (given: HttpConfig.ProxyInput, origin: string) => Result.getOrThrow(Proxy.of(given, origin))?.host

  it("excepts hosts as NO_PROXY does", () => {
    const cases: ReadonlyArray<readonly [entry: string, origin: string, isExcepted: boolean]> = [
      ["example.com", "https://example.com", true],
      ["example.com", "https://api.example.com", true],
      ["example.com", "https://badexample.com", false],
      [".example.com", "https://api.example.com", true],
      ["*.example.com", "https://api.example.com", true],
      ["example.com:8443", "https://example.com", false],
      ["example.com:443", "https://example.com", true],
      ["EXAMPLE.com", "https://example.COM", true],
      ["*", "https://example.com", true],
      ["10.0.0.0/8", "https://10.1.2.3", true],
      ["10.0.0.0/8", "https://11.1.2.3", false],
      ["0.1", "https://10.0.0.1", false],
      ["::1", "https://[::1]:8443", true],
      ["[::1]:8443", "https://[::1]:8443", true],
      ["fd00::/8", "https://[fd00::1]", true],
      ["", "https://example.com", false],
      ["10.0.0.0/99", "https://10.1.2.3", false]
    ]
    for (const [entry, origin, isExcepted] of cases) {
      assert.strictEqual(
        host({ https: "p:1", except: [entry] }, origin) === undefined,
        isExcepted,
        `${entry} ${origin}`
      )
    }
  })

  it.live("is refused when it is wrong, without being shown", () =>
    Effect.gen(function*() {
      const wrong = [
        "ftp://canary@host",
        "http://user:canary@host:0",
        "http://user:canary@host/path",
        "http://user:can%ary@host",
        { https: 1 },
        {},
        { http: "a", canary: 1 },
        { http: "a", except: "b" },
        7
      ]
      for (const proxy of wrong) {
        const error = yield* Effect.flip(Effect.scoped(HttpPools.make({ proxy: proxy as string })))
        assert.match(error.message, /option proxy/)
        if (typeof proxy === "string") assert.notInclude(inspect(error, { depth: 9 }), "ary")
      }
    }))
})
