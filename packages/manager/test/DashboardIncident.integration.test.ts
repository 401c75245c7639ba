import { ConnectionPool } from "@effect-pools/core"
import { ConnectionManager } from "@effect-pools/manager"
import { FakeConnector } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Page } from "playwright-core"
import { $, activate, cardOf, eventually } from "./fixtures/dashboardBrowser.ts"
import { inBrowser, isLive } from "./fixtures/dashboardPages.ts"
import { twoPools } from "./fixtures/dashboardWorld.ts"
import { Cache, Db, isolated, monitored, token } from "./support.ts"

const { browse } = inBrowser()

const textOf = (page: Page, selector: string) => $(() => page.locator(selector).first().innerText())

const fast = { sampleInterval: "200 millis", alertAfter: "200 millis", clearAfter: "400 millis" } as const

/** What a report does for the whole of a test, beside short leases. */
const incident = (options: ConnectionPool.MakeOptions = {}) => {
  const { connector } = FakeConnector.make()
  const running = { activity: undefined as string | undefined }
  const inspect = () => ({ tags: {}, activity: running.activity, lately: running.activity ?? "SELECT one" })
  class Orders extends ConnectionPool.Service<Orders, FakeConnector.FakeConnection>()("shop/orders-primary") {}
  const layer = Orders.layer({ ...connector, inspect }, {
    maxConnections: 2,
    minConnections: 0,
    acquireTimeout: "500 millis",
    slowAcquireTimeout: "100 millis",
    drainTimeout: "50 millis",
    ...options
  })
  const short = Orders.withConnection(() => Effect.sleep("10 millis"), { label: "POST /checkout" })
  const begin = Effect.gen(function*() {
    for (let lease = 0; lease < 5; lease++) yield* short
    running.activity = "SELECT pg_sleep(?) /* nightly report */"
    for (let each = 0; each < 2; each++) {
      yield* Effect.forkScoped(Orders.withConnection(() => Effect.never, { label: "nightly-report" }))
    }
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.ignore(short), Effect.sleep("20 millis"))))
  })
  const manager = ConnectionManager.layer({ pools: [Orders], ...fast })
  return {
    begin,
    Orders,
    layer: monitored().pipe(Layer.provideMerge(Layer.provideMerge(manager, layer)), Layer.provideMerge(isolated))
  }
}

describe("the page in an incident", () => {
  it.live("says without a click what is wrong and since when, who holds the connections, and what to change", () => {
    const { begin, layer } = incident()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* begin
        const item = "[data-cause=oneHolder].bad"
        yield* $(() => page.locator(item).waitFor())
        const text = yield* textOf(page, item)
        assert.match(text, /critical\s+shop\/orders-primary\s+since \d\d:\d\d:\d\d, for \d+ s/)
        assert.match(text, /nightly-report holds 2 of 2 connections, the longest for .*running: SELECT pg_sleep\(\?\)/)
        assert.match(text, /Run fewer of them at once/)
        const rows = yield* $(() => page.locator(`${item} tbody tr`).allInnerTexts())
        const [label, share, held, leases, mean, longest, , statement] = rows[0]!.split("\t").map((cell) => cell.trim())
        assert.deepStrictEqual([label, held, leases], ["nightly-report", "2", "2"])
        assert.match(share!, /^9\d %$|^100 %$/)
        assert.match(`${mean} ${longest}`, /^\d.* \d/)
        assert.match(statement!, /^SELECT pg_sleep/)
        // The same words as the alert.
        yield* $(() => page.locator(".alerts li.bad", { hasText: "nightly-report holds 2 of 2" }).waitFor())
      })
    ).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("groups the events of one cause with their count, and shows each on demand", () => {
    const { begin, layer } = incident({ acquireTimeout: "150 millis" })
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* begin
        const rows = page.locator(".log tbody tr", { hasText: "gave up" })
        yield* $(() => rows.first().locator(".times", { hasText: /^[3-9]×|^\d\d+×/ }).waitFor())
        assert.strictEqual(yield* $(() => rows.count()), 1)
        yield* activate(page.getByRole("button", { name: "Grouped" }))
        assert.isAbove(yield* $(() => rows.count()), 2)
      })
    ).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("tells a short outage as what it was, marks it on the charts, and nothing contradicts it", () => {
    const { db: backend, layer } = twoPools({
      db: { minConnections: 1, acquireTimeout: "300 millis", breaker: { minimumDials: 100 } }
    })
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        backend.set("connect", "fail")
        for (const { id } of yield* Db.connections) yield* Db.retire(id)
        yield* Effect.ignore(Db.withConnection(() => Effect.void))
        yield* $(() => page.locator("[data-cause=backendDown].bad").waitFor())
        const score = Number(yield* textOf(page, ".score b"))
        assert.isAtMost(score, 50)
        backend.set("connect", "ok")
        yield* $(() => page.locator("[data-cause=backendWasDown].over").waitFor())
        assert.match(
          yield* textOf(page, ".diagnoses"),
          /^What was wrong[^]*the backend was down for .*Nothing|It is over/
        )
        yield* eventually($(() => page.locator(`${cardOf("app/Db")} .status`).first().innerText()), "healthy")
        yield* eventually(textOf(page, ".score b"), "100")
        const marks = page.locator(`${cardOf("app/Db")} [data-happening="backend down"]`)
        yield* $(() => marks.first().waitFor({ state: "attached" }))
        yield* $(() =>
          page.locator(".fleet [data-happening=\"app/Db: backend down\"]").first().waitFor({ state: "attached" })
        )
      })
    ).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("marks pauses and changed limits on the charts", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        const mark = (text: string) =>
          $(() =>
            page.locator(`${cardOf("app/Cache")} [data-happening="${text}"]`).first().waitFor({ state: "attached" })
          )
        yield* Cache.setLimit(1)
        yield* mark("limit 2 → 1")
        yield* Cache.pause
        yield* mark("paused")
        yield* Cache.drain
        yield* mark("closed")
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("an alert that stands says its number as it is now", () => {
    const { layer } = twoPools({ cache: { maxConnections: 10 } })
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* Effect.scoped(Effect.gen(function*() {
          const nine = Effect.forEach(Array.from({ length: 9 }), () => Cache.acquire)
          yield* Effect.scoped(Effect.andThen(
            nine,
            Effect.andThen(
              Cache.acquire,
              $(() => page.locator(".alerts li.warn", { hasText: "10 of 10 connections are lent: 100 %" }).waitFor())
            )
          ))
          yield* nine
          yield* $(() => page.locator(".alerts li.warn", { hasText: "; 90 % now" }).waitFor())
          const { status, score } = yield* ConnectionManager.health
          assert.isTrue(status === "healthy" || score <= 90)
        }))
      })
    ).pipe(Effect.scoped, Effect.provide(layer))
  })
})

describe("the names of pools", () => {
  const regions = [
    "eu-central",
    "eu-west",
    "us-east",
    "us-west",
    "ap-south",
    "ap-north",
    "sa-east",
    "me-south",
    "af-south",
    "ca-central"
  ]
  const names = regions.map((region) => `shop/orders-and-payments-service/primary-database-of-${region}`)

  const tenPools = () => {
    const made = names.map((name) => {
      class Pool extends ConnectionPool.Service<Pool, FakeConnector.FakeConnection>()(name) {}
      const layer = Pool.layer(FakeConnector.make().connector, { minConnections: 1, maxConnections: 1 })
      return { Pool, layer }
    })
    const all = Layer.mergeAll(Layer.empty, ...made.map(({ layer }) => layer))
    const manager = ConnectionManager.layer({ pools: made.map(({ Pool }) => Pool), ...fast })
    return monitored().pipe(Layer.provideMerge(Layer.provideMerge(manager, all)), Layer.provideMerge(isolated))
  }

  /** What of each name one can see: what is cut by its box is no part of it. */
  const visible = (page: Page, selector: string) =>
    $(() =>
      page.locator(selector).evaluateAll((elements) =>
        elements.map((element) => {
          const whole = element.querySelector(".name .whole") ?? element
          const box = whole.getBoundingClientRect()
          let parent = element.parentElement
          while (
            parent !== null && element.ownerDocument.defaultView!.getComputedStyle(parent).overflowX === "visible"
          ) parent = parent.parentElement
          const edge = parent === null
            ? element.ownerDocument.defaultView!.innerWidth
            : parent.getBoundingClientRect().right
          const isCut = whole.scrollWidth > whole.clientWidth + 1 || box.right > edge + 1 || box.width < 1
          return isCut ? "cut" : whole.textContent ?? ""
        })
      )
    )

  it.live.each([1400, 900, 390])("are told apart at a width of %d", (width) =>
    browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        const shown = yield* visible(page, ".card h3 a")
        assert.strictEqual(new Set(shown).size, 10, shown.join("\n"))
        assert.notInclude(shown, "cut")
        yield* $(() => page.getByRole("link", { name: "Connections", exact: true }).click())
        yield* $(() => page.locator(".grid td.pool a").nth(9).waitFor())
        const inTable = yield* visible(page, ".grid td.pool a")
        assert.strictEqual(new Set(inTable).size, 10, inTable.join("\n"))
        assert.notInclude(inTable, "cut")
        assert.isTrue(inTable.every((text, index) => names.some((name) => name.endsWith(text)) || index < 0))
      }), { viewport: { width, height: 900 } }).pipe(Effect.provide(tenPools())))

  it.live("are found by the keyboard: / goes to the search, Enter to the first that matches, Escape leaves it", () =>
    browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        // The search comes with the pools.
        yield* eventually($(() => page.locator(".card").count()), 10)
        yield* $(() => page.keyboard.press("/"))
        yield* $(() => page.keyboard.type("ap-north"))
        yield* eventually($(() => page.locator(".card").count()), 1)
        yield* $(() => page.keyboard.press("Escape"))
        yield* eventually($(() => page.locator(".card").count()), 10)
        yield* $(() => page.keyboard.press("/"))
        yield* $(() => page.keyboard.type("us-west"))
        yield* $(() => page.keyboard.press("Enter"))
        yield* $(() => page.getByRole("heading", { level: 1, name: names[3]! }).waitFor())
      })
    ).pipe(Effect.provide(tenPools())))
})

describe("ranges, phones and the audit", () => {
  it.live("charts go back up to an hour", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        const asked = page.waitForRequest(/history\?range=long$/)
        yield* activate(page.getByRole("button", { name: "1 hour" }).first())
        yield* $(() => asked)
        assert.strictEqual(
          yield* $(() => page.getByRole("button", { name: "1 hour" }).first().getAttribute("aria-pressed")),
          "true"
        )
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("on a phone the table of connections has the columns that matter, without scrolling sideways", () => {
    const { layer } = twoPools()
    return Effect.gen(function*() {
      yield* Cache.acquireWith({ label: "GET /calls" })
      yield* browse((page) =>
        Effect.gen(function*() {
          yield* isLive(page)
          yield* $(() => page.locator(".grid tbody tr[data-connection]").first().waitFor())
          const heads = yield* $(() => page.locator(".grid thead th:visible").allInnerTexts())
          assert.deepStrictEqual(heads.map((head) => head.replace(/[▴▾\s]/g, "")), [
            "Pool",
            "State",
            "For",
            "Label",
            "Statement"
          ])
          const { client, scroll } = yield* $(() =>
            page.locator(".grid").evaluate((grid) => {
              const box = grid.parentElement!
              return { client: box.clientWidth, scroll: box.scrollWidth }
            })
          )
          assert.isAtMost(scroll, client)
        }), { path: "#/connections", viewport: { width: 390, height: 844 } })
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("to unlock the actions is no action: the log has no line of it", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* $(() => page.locator("header button", { hasText: "Unlock" }).click())
        yield* $(() => page.getByLabel("Token", { exact: true }).fill(token))
        yield* $(() => page.locator("form.token button[type=submit]").click())
        yield* $(() => page.locator("header button", { hasText: /^\s*Lock/ }).waitFor())
        yield* Cache.pause
        yield* $(() => page.locator(".log tr", { hasText: "paused" }).first().waitFor())
        assert.strictEqual(yield* $(() => page.locator(".log tr", { hasText: "as asked over HTTP" }).count()), 0)
      }), { allowed: /404/ }).pipe(Effect.provide(layer))
  })
})
