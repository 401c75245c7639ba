import { Monitoring, MonitoringApi } from "@effect-pools/manager"
import { TestCertificate } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { get } from "node:https"
import { connect } from "node:net"
import { act, ask, bearer, Db, decode, isolated, managed, monitored, pools, token } from "./support.ts"

const world = (options: Monitoring.ServerOptions = {}, logs: Array<string> = []) =>
  monitored(options).pipe(
    Layer.provideMerge(managed(pools().layer)),
    Layer.provideMerge(
      Layer.merge(isolated, Logger.layer([Logger.make(({ message }) => void logs.push(String(message)))]))
    )
  )

/** Sends a request as it is written, and gives the status line. */
const wire = (text: string) =>
  Effect.gen(function*() {
    const port = Number(new URL((yield* Monitoring.Address).url).port)
    return yield* Effect.callback<string>((resume) => {
      let received = ""
      const socket = connect(port, "127.0.0.1", () => socket.write(text))
      socket.on("data", (data) => received += String(data))
      socket.on("error", () => {})
      socket.on("close", () => resume(Effect.succeed(received.split("\r\n")[0] ?? "")))
    })
  })

const resume = (...headers: ReadonlyArray<string>) =>
  wire([
    "POST /pools/app%2FDb/resume HTTP/1.1",
    ...headers,
    `Authorization: ${bearer.authorization}`,
    "Content-Length: 0",
    "Connection: close",
    "",
    ""
  ].join("\r\n"))

describe("who comes without a browser's headers, or through a proxy", () => {
  it.live("a probe of HTTP/1.0 without Host is answered", () =>
    Effect.gen(function*() {
      for (const path of ["/ready", "/live", "/health", "/metrics"]) {
        assert.match(yield* wire(`GET ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 200 /, path)
        assert.match(yield* wire(`OPTIONS ${path} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.1 405 /, path)
      }
      assert.match(yield* wire("GET /ready HTTP/1.0\r\nHost: evil.example\r\n\r\n"), /^HTTP\/1\.1 403 /)
    }).pipe(Effect.provide(world())))

  it.live("the page of an allowed host may act, whatever Host a proxy writes", () =>
    Effect.gen(function*() {
      const page = ["Origin: https://mon.example.com", "Sec-Fetch-Site: same-origin"]
      for (const host of ["127.0.0.1:9191", "mon.example.com:443", "mon.example.com", "MON.example.com:9191"]) {
        assert.match(yield* resume(`Host: ${host}`, ...page), /^HTTP\/1\.1 200 /, host)
      }
      assert.match(yield* resume("Host: 10.1.2.3:443", "Origin: https://10.1.2.3"), /^HTTP\/1\.1 200 /)
      assert.match(yield* resume("Host: 10.1.2.3:80", "Origin: http://10.1.2.3"), /^HTTP\/1\.1 200 /)
    }).pipe(Effect.provide(world({ hosts: ["mon.example.com"] }))))

  it.live("no other page may, not even one of a host beside it", () =>
    Effect.gen(function*() {
      const host = "Host: 127.0.0.1:9191"
      const refused = [
        [host, "Origin: https://evil.example", "Sec-Fetch-Site: same-origin"],
        [host, "Origin: https://mon.example.com.evil.example"],
        [host, "Origin: https://mon.example.com", "Sec-Fetch-Site: cross-site"],
        [host, "Origin: https://mon.example.com", "Sec-Fetch-Site: same-site"],
        [host, "Origin: null"],
        [host, "Origin: https://x@mon.example.com"],
        ["Host: 10.1.2.3:443", "Origin: http://10.1.2.3"],
        ["Host: localhost", "Origin: http://127.0.0.1"],
        ["Host: evil.example", "Origin: https://mon.example.com", "Sec-Fetch-Site: same-origin"]
      ]
      for (const headers of refused) assert.match(yield* resume(...headers), /^HTTP\/1\.1 403 /, headers.join(" "))
    }).pipe(Effect.provide(world({ hosts: ["mon.example.com"] }))))

  it.live("no other page can take the places of the streams by leading there", () =>
    Effect.gen(function*() {
      for (let time = 0; time < 3; time++) {
        const line = yield* wire(
          "GET /events HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n" +
            "Connection: close\r\n\r\n"
        )
        assert.match(line, /^HTTP\/1\.1 403 /)
      }
      const { url } = yield* Monitoring.Address
      const opened = yield* Effect.promise(async () => {
        const controller = new AbortController()
        const { status } = await fetch(`${url}events`, { signal: controller.signal })
        controller.abort()
        return status
      })
      assert.strictEqual(opened, 200)
    }).pipe(Effect.provide(world({ streams: 1 }))))

  it.live("a wrong method is told with those that are right, and an odd target is no error of the server", () =>
    Effect.gen(function*() {
      const wrong = yield* ask("health", { method: "POST" })
      assert.deepStrictEqual([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD"])
      assert.strictEqual(decode(MonitoringApi.Failure, wrong).error, "method-not-allowed")
      const action = yield* ask("pools/app%2FDb/drain", { method: "PUT" })
      assert.deepStrictEqual([action.status, action.headers.get("allow")], [405, "POST"])
      assert.strictEqual((yield* ask("nowhere", { method: "POST" })).status, 404)
      const odd = "GET http://localhost:99999/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
      assert.match(yield* wire(odd), /^HTTP\/1\.1 (200|4\d\d) /)
    }).pipe(Effect.provide(world())))
})

describe("wrong tokens", () => {
  const guess = (index: number) =>
    ask("pools/app%2FDb/pause", { method: "POST", headers: { authorization: `Bearer guess-${index}-xxxxxxxxxx` } })

  it.live("are slowed and turned away, and found in the log, which they can't flood", () => {
    const logs: Array<string> = []
    return Effect.gen(function*() {
      const answers = yield* Effect.forEach(Array.from({ length: 300 }, (_, index) => index), guess, {
        concurrency: 50
      })
      const statuses = answers.map(({ status }) => status)
      const compared = statuses.filter((status) => status === 401).length
      assert.isAtLeast(compared, 20)
      assert.isBelow(compared, 60)
      assert.strictEqual(statuses.filter((status) => status === 429).length, 300 - compared)
      const refused = answers.find(({ status }) => status === 429)!
      assert.strictEqual(refused.headers.get("retry-after"), "1")
      assert.strictEqual(decode(MonitoringApi.Failure, refused).error, "too-many-attempts")
      const lines = logs.filter((line) => line.includes("wrong token"))
      assert.strictEqual(lines[0], "monitoring: a wrong token came from 127.0.0.1")
      assert.match(lines[1] ?? "", /^monitoring: 10 wrong tokens came in \d+ s, the last from 127\.0\.0\.1$/)
      assert.isBelow(lines.length, 4)
      assert.notInclude(logs.join(""), "guess")
      // Whoever has the right one waits for a moment, and is not locked out.
      yield* Effect.sleep("1 second")
      assert.strictEqual((yield* act("pools/app%2FDb/pause")).status, 200)
      assert.strictEqual((yield* Db.stats).state, "paused")
    }).pipe(Effect.provide(world({}, logs)))
  })

  it.live("hold up no request that needs no token", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 100 }, (_, index) => index), guess, { concurrency: 50 })
      assert.strictEqual((yield* ask("health")).status, 200)
      assert.strictEqual((yield* ask("pools/app%2FDb/pause", { method: "POST" })).status, 401)
    }).pipe(Effect.provide(world())))
})

describe("actions", () => {
  it.live("are told with the address they came from, in the log and on the stream, and only if they are carried out", () => {
    const logs: Array<string> = []
    return Effect.gen(function*() {
      const refused = yield* act("pools/app%2FDb/pause", "POST", "{x}")
      assert.strictEqual(refused.status, 400)
      assert.strictEqual((yield* act("pools/app%2FDb/connections/7", "DELETE")).status, 404)
      assert.deepStrictEqual(logs.filter((line) => line.includes("as asked")), [])
      yield* ask("pools/app%2FDb/pause", {
        method: "POST",
        headers: { ...bearer, "x-forwarded-for": "1.2.3.4, 5.6.7.8" }
      })
      yield* act("pools/app%2FDb/drain")
      assert.strictEqual((yield* act("pools/app%2FDb/resume")).status, 409)
      assert.strictEqual((yield* act("pools/app%2FDb/warm-up")).status, 409)
      assert.deepStrictEqual(logs.filter((line) => line.includes("as asked")), [
        "app/Db: pause, as asked over HTTP by 127.0.0.1",
        "app/Db: drain, as asked over HTTP by 127.0.0.1"
      ])
      const { url } = yield* Monitoring.Address
      const text = yield* Effect.promise(async (signal) => {
        const response = await fetch(`${url}events?last=100`, { signal })
        let text = ""
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk
          if (text.split("event: Acted").length > 2) break
        }
        return text
      })
      const acted = Array.from(text.matchAll(/^event: Acted\ndata: (.*)$/gm), ([, data]) => JSON.parse(data!))
      assert.deepStrictEqual(
        acted.map(({ action, client, forwardedFor, pool }) => [pool, action, client, forwardedFor]),
        [["app/Db", "pause", "127.0.0.1", "1.2.3.4, 5.6.7.8"], ["app/Db", "drain", "127.0.0.1", null]]
      )
    }).pipe(Effect.provide(world({}, logs)))
  })
})

describe("TLS", () => {
  it.live("serves a host that is not loopback without the token in clear", () =>
    Effect.gen(function*() {
      const { url } = yield* Monitoring.Address
      assert.match(url, /^https:/)
      const asked = (headers: Record<string, string>) =>
        Effect.callback<number>((resume) => {
          const target = { host: "127.0.0.1", port: new URL(url).port, path: "/pools", ca: TestCertificate.certificate }
          const request = get({ ...target, servername: "localhost", headers }, (response) => {
            response.resume()
            response.on("end", () => resume(Effect.succeed(response.statusCode ?? 0)))
          })
          request.on("error", (cause) => resume(Effect.die(cause)))
        })
      assert.deepStrictEqual([yield* asked({}), yield* asked(bearer)], [401, 200])
    }).pipe(
      Effect.provide(
        world({
          host: "0.0.0.0",
          token: Redacted.make(token),
          tls: { cert: TestCertificate.certificate, key: Redacted.make(TestCertificate.key) }
        })
      )
    ))
})
