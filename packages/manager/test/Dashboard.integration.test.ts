import { Monitoring } from "@effect-pools/manager"
import { TcpProxy } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Scope } from "effect"
import type { Page } from "playwright-core"
import { $, activate, cardOf, eventually, factsOf } from "./fixtures/dashboardBrowser.ts"
import { inBrowser, isLive } from "./fixtures/dashboardPages.ts"
import { contrasts, focusOrder, namelessControls, watchFrames } from "./fixtures/dashboardProbes.ts"
import { manyPools, poolsThatSay, twoPools } from "./fixtures/dashboardWorld.ts"
import { Cache, Db, token } from "./support.ts"

const { browse, visitAt } = inBrowser()

const textsOf = (page: Page, selector: string) => $(() => page.locator(selector).allInnerTexts())
const countOf = (page: Page, selector: string) => $(() => page.locator(selector).count())
const seen = (page: Page, text: string | RegExp) => $(() => page.getByText(text).first().waitFor())
const press = (page: Page, name: string) => activate(page.getByRole("button", { name, exact: true }).first())

const give = (page: Page, value: string) =>
  Effect.gen(function*() {
    yield* $(() => page.getByLabel("Token", { exact: true }).fill(value))
    yield* $(() => page.locator("form.token button[type=submit]").click())
  })

const unlock = (page: Page, value = token) =>
  Effect.gen(function*() {
    yield* $(() => page.locator("header button", { hasText: "Unlock" }).click())
    yield* give(page, value)
  })

const db = cardOf("app/Db")
const cache = cardOf("app/Cache")

describe("what the page shows", () => {
  it.live("is what the pools say, and follows them", () => {
    const { layer } = twoPools()
    return Effect.gen(function*() {
      yield* Db.withConnection(() => Effect.void)
      yield* Cache.acquireWith({ label: "GET /calls" })
      yield* browse((page) =>
        Effect.gen(function*() {
          const facts = (card: string, ...names: ReadonlyArray<string>) =>
            Effect.map(factsOf(page, card), (facts) => names.map((name) => facts[name]))
          yield* eventually(facts(db, "used", "idle", "pending", "leases"), ["0/2", "1", "0", "1"])
          yield* eventually(facts(cache, "used", "idle", "pending"), ["1/2", "0", "0"])
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Cache.acquire
            yield* Effect.forkScoped(Cache.withConnection(() => Effect.void))
            yield* eventually(facts(cache, "used", "idle", "pending"), ["2/2", "0", "1"])
            yield* eventually(textsOf(page, ".lent b"), ["2"])
            yield* eventually(facts(".fleet", "pending"), ["1"])
          }))
          yield* eventually(facts(cache, "used", "idle", "pending"), ["1/2", "1", "0"])
          const { counts } = yield* Cache.stats
          yield* eventually(
            facts(cache, "leases", "waited", "opened"),
            [counts.acquiredAtOnce + counts.acquiredAfterWaiting, counts.acquiredAfterWaiting, counts.opened].map(
              String
            )
          )
        })
      )
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("follows the pools as well when the clock of the server is set back", () => {
    let setBack = 0
    const clock = Effect.map(Clock.Clock, (clock): Clock.Clock => {
      const millis = () => clock.currentTimeMillisUnsafe() - setBack
      return {
        currentTimeMillisUnsafe: millis,
        currentTimeMillis: Effect.sync(millis),
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() - BigInt(setBack) * 1_000_000n,
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      }
    })
    const layer = Layer.provideMerge(twoPools().layer, Layer.effect(Clock.Clock, clock))
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* eventually(Effect.map(factsOf(page, db), ({ used }) => used), "0/2")
        setBack = 3_600_000
        yield* Db.acquire
        yield* eventually(Effect.map(factsOf(page, db), ({ used }) => used), "1/2")
      })
    ).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("tells all of a pool: options, reasons, timings and each connection", () => {
    const { layer } = twoPools({ cache: { maxConnections: 3, pendingLimit: 77 } })
    return Effect.gen(function*() {
      yield* Cache.acquireWith({ label: "GET /calls" })
      yield* Effect.scoped(Cache.acquire)
      yield* browse((page) =>
        Effect.gen(function*() {
          yield* activate(page.getByRole("link", { name: "app/Cache" }).first())
          yield* $(() => page.getByRole("heading", { level: 1, name: "app/Cache" }).waitFor())
          const rows = Effect.map(textsOf(page, ".grid tbody tr"), (rows) =>
            rows.map((row) => {
              const [id, backend, state, , , uses, errors, label] = row.split("\t")
              return [id, backend, state, uses, errors, label]
            }))
          yield* eventually(rows, [
            ["1", "fake 1", "used", "1", "0", "GET /calls"],
            ["2", "fake 2", "idle", "1", "0", ""]
          ])
          const pairs = yield* textsOf(page, ".pairs > div")
          assert.include(pairs, "pendingLimit\n77")
          assert.include(pairs, "opened\n2")
          assert.include(pairs, "lifetime\n0")
          assert.include(yield* textsOf(page, ".timings tbody th"), "wait for a connection")
          assert.isAtLeast(yield* countOf(page, ".charts canvas"), 2)
        })
      )
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.live("alerts with their remedy, and when they are over", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Cache.acquire
          yield* Cache.acquire
          const alert = page.locator(".alerts li.warn").first()
          yield* $(() => alert.getByText("2 of 2 connections are lent").waitFor())
          yield* $(() => alert.getByText("Nobody suffers yet").waitFor())
          yield* eventually($(() => page.title()), "▲ 1 · Connection pools")
        }))
        yield* $(() => page.locator(".alerts .past li").first().waitFor())
        assert.strictEqual(yield* countOf(page, ".alerts li.warn"), 0)
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("health, breaker and remedy of a pool whose backend is away", () => {
    const { db: backend, layer } = twoPools({ db: { acquireTimeout: "100 millis", breaker: { minimumDials: 1 } } })
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        backend.set("connect", "fail")
        yield* Effect.ignore(Db.withConnection(() => Effect.void))
        yield* eventually(Effect.map(factsOf(page, db), ({ breaker }) => breaker), "open")
        yield* $(() => page.locator(`${db} .status`, { hasText: "unhealthy" }).waitFor())
        yield* $(() => page.locator(`${db} .warnings`, { hasText: "Check that the backend is up" }).waitFor())
        yield* eventually(textsOf(page, ".tally li"), ["1 healthy", "0 degraded", "1 unhealthy"])
        yield* $(() => page.locator(".log tr.bad", { hasText: "the breaker opened" }).first().waitFor())
      })
    ).pipe(Effect.provide(layer))
  })
})

describe("text from elsewhere", () => {
  const nasty = "<img src=x onerror=alert(1)>\"'&{{7*7}}</script><script>alert(2)</script>"

  it.live("stays text: names, tags, labels, statements and causes", () =>
    Effect.gen(function*() {
      yield* Cache.acquireWith({ label: nasty })
      yield* browse((page) =>
        Effect.gen(function*() {
          yield* isLive(page)
          yield* Effect.forkScoped(Effect.ignore(Db.withConnection(() => Effect.void, { label: nasty })))
          yield* $(() => page.getByRole("article", { name: nasty, exact: true }).waitFor())
          yield* $(() => page.locator(".log tr.bad", { hasText: nasty }).first().waitFor())
          yield* activate(page.getByRole("link", { name: nasty, exact: true }).first())
          for (const again of [false, true]) {
            if (again) yield* $(() => page.reload())
            yield* $(() => page.getByRole("heading", { level: 1, name: nasty, exact: true }).waitFor())
            // A statement is cut.
            for (
              const [cell, text] of [["label", nasty], ["code.wide", nasty.slice(0, 100)], [
                "code",
                `${nasty} ${nasty}`
              ]]
            ) {
              yield* $(() => page.locator(`.grid td.${cell}`, { hasText: text ?? "" }).first().waitFor())
            }
          }
          assert.deepStrictEqual([yield* countOf(page, "img"), yield* countOf(page, "#app script")], [0, 0])
        })
      )
    }).pipe(Effect.scoped, Effect.provide(poolsThatSay(nasty))))
})

describe("traffic", () => {
  it.live("is told by priority and key, with the level of degradation and why callers are refused", () =>
    Effect.gen(function*() {
      yield* Cache.acquire
      yield* Cache.acquire
      const waits = (priority: "high" | "normal", fairKey: string) =>
        Effect.forkScoped(Cache.withConnection(() => Effect.void, { priority, fairKey }))
      yield* waits("high", "tenant 1")
      yield* waits("normal", "tenant 2")
      yield* waits("normal", "tenant 2")
      yield* Cache.degrade(1)
      yield* browse((page) =>
        Effect.gen(function*() {
          yield* activate(page.getByRole("link", { name: "app/Cache" }).first())
          const rows = (panel: string) =>
            Effect.map(
              textsOf(page, `.${panel} tbody tr`),
              (rows) => rows.map((row) => row.split("\t").join(" ").trim())
            )
          yield* eventually(rows("priorities"), [
            "high 1 0 %",
            "normal 2 0 %",
            "low 0 95 % level 1 of degradation"
          ])
          yield* eventually(rows("keys"), ["tenant 2 2 0", "tenant 1 1 0"])
          yield* eventually(Effect.map(factsOf(page, ".page"), ({ degradation }) => degradation), "1")
        })
      )
    }).pipe(Effect.scoped, Effect.provide(twoPools().layer)))
})

describe("a server that goes away", () => {
  // The browser itself says on the console that a request failed.
  const allowed = /Failed to load resource|net::ERR_/

  it.live("is told, and found again when it is back on the same port, with its own numbers", () =>
    Effect.gen(function*() {
      const start = (port: number) =>
        Effect.gen(function*() {
          const scope = yield* Scope.fork(yield* Effect.scope)
          const context = yield* Layer.buildWithScope(twoPools({}, { port }).layer, scope)
          return { scope, context, url: Context.get(context, Monitoring.Address).url }
        })
      const first = yield* start(0)
      yield* Effect.provideContext(
        Effect.forEach([1, 2, 3], () => Cache.withConnection(() => Effect.void)),
        first.context
      )
      const leases = (page: Page) => Effect.map(factsOf(page, cache), ({ leases }) => leases)
      yield* visitAt({ url: first.url, allowed }, (page) =>
        Effect.gen(function*() {
          yield* eventually(leases(page), "3")
          yield* Scope.close(first.scope, yield* Effect.exit(Effect.void))
          yield* $(() => page.locator("[data-link=lost]").waitFor())
          yield* $(() => page.locator(".banner", { hasText: "Not connected" }).waitFor())
          yield* seen(page, /What you see is \d+ s old/)
          yield* eventually(leases(page), "3")
          const answer = Promise.withResolvers<void>()
          yield* $(() => page.route("**/pools", (route) => answer.promise.then(() => route.continue())))
          const second = yield* start(Number(new URL(first.url).port))
          yield* isLive(page)
          // Until the new numbers are there the old ones are not shown as if they were live.
          yield* eventually(countOf(page, "article"), 0)
          answer.resolve()
          yield* eventually(leases(page), "0")
          yield* eventually(countOf(page, ".banner"), 0)
          yield* seen(page, "the program started anew")
          yield* Effect.provideContext(Cache.withConnection(() => Effect.void), second.context)
          yield* eventually(leases(page), "1")
        }))
    }).pipe(Effect.scoped))

  it.live("is told as well when it only falls silent", () => {
    const { layer } = twoPools({}, { heartbeat: "1 second" })
    return Effect.gen(function*() {
      const { url } = yield* Monitoring.Address
      const proxy = yield* TcpProxy.make({ host: "127.0.0.1", port: Number(new URL(url).port) })
      yield* visitAt({ url: `http://127.0.0.1:${proxy.port}/`, allowed }, (page) =>
        Effect.gen(function*() {
          yield* isLive(page)
          yield* proxy.blackhole(true)
          yield* seen(page, "the server fell silent")
          yield* proxy.blackhole(false)
          yield* proxy.cut
          yield* press(page, "Try now").pipe(Effect.timeoutOption("1 second"))
          yield* isLive(page)
        }))
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})

describe("actions", () => {
  it.live("are not there where the server has none", () => {
    const { layer } = twoPools({}, { token: undefined })
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* $(() => page.locator(cache).waitFor())
        const buttons = yield* textsOf(page, "button")
        assert.deepStrictEqual(buttons.filter((text) => /unlock|drain|pause|retire/i.test(text)), [])
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("need the token: a wrong one unlocks nothing, the right one stays in this tab and out of addresses", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        const addresses: Array<string> = []
        page.on("request", (request) => addresses.push(request.url()))
        yield* isLive(page)
        yield* $(() => page.locator(cache).waitFor())
        assert.strictEqual(yield* countOf(page, ".actions"), 0)
        yield* unlock(page, "not-the-right-token")
        yield* seen(page, "This is not the token.")
        assert.strictEqual(yield* countOf(page, ".actions"), 0)
        yield* give(page, token)
        yield* eventually(countOf(page, ".actions"), 2)
        yield* $(() => page.reload())
        yield* eventually(countOf(page, ".actions"), 2)
        yield* $(() => page.locator("header button", { hasText: "Lock" }).click())
        yield* eventually(countOf(page, ".actions"), 0)
        assert.deepStrictEqual(addresses.filter((url) => url.includes(token)), [])
        assert.notInclude(page.url(), token)
      }), { allowed: /401|404/ }).pipe(Effect.provide(layer))
  })

  it.live("are done on the pool, the dangerous ones only after a question", () => {
    const { cache: backend, layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* unlock(page)
        const action = (name: string) => activate(page.locator(`${cache} .actions button`, { hasText: name }))
        const answer = (name: string) => activate(page.locator("dialog button", { hasText: name }))
        const state = Effect.map(Cache.stats, ({ state }) => state)
        yield* action("Pause")
        yield* answer("Cancel")
        assert.strictEqual(yield* state, "open")
        yield* action("Pause")
        yield* answer("Pause")
        yield* eventually(state, "paused")
        yield* seen(page, "app/Cache is paused")
        yield* action("Resume")
        yield* eventually(state, "open")
        yield* action("Warm up")
        yield* $(() => page.getByLabel("Open connections").fill("2"))
        yield* answer("Warm up")
        yield* seen(page, "app/Cache: 2 connections are open")
        assert.strictEqual(backend.live, 2)
        yield* action("Retire all")
        yield* answer("Retire all")
        yield* eventually(Effect.sync(() => backend.closed), 2)
        yield* action("Drain")
        yield* answer("Drain for good")
        yield* eventually(state, "closed")
        yield* seen(page, /app\/Cache is drained in/)
        yield* eventually(countOf(page, `${cache} .actions`), 0)
      }), { allowed: /404/ }).pipe(Effect.provide(layer))
  })

  it.live("stand still in their card when a warning comes or goes, so that no press goes to another one", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* unlock(page)
        const top = (selector: string) =>
          Effect.map($(() => page.locator(selector).boundingBox()), (box) => box?.y ?? 0)
        const place = Effect.zipWith(top(`${cache} .actions`), top(cache), (buttons, card) => buttons - card)
        const warnings = countOf(page, `${cache} .warnings li`)
        yield* $(() => page.locator(`${cache} .actions`).waitFor())
        yield* eventually(warnings, 0)
        const before = yield* place
        assert.isAbove(before, 0)
        yield* Cache.pause
        yield* $(() => page.locator(`${cache} .actions button`, { hasText: "Resume" }).waitFor())
        yield* $(() => page.locator(`${cache} .warnings li`).first().waitFor())
        assert.strictEqual(yield* place, before)
      }), { allowed: /404/ }).pipe(Effect.provide(layer))
  })

  it.live("on one connection, and what failed stays on the page", () => {
    const { cache: backend, db: broken, layer } = twoPools({ db: { breaker: { minimumDials: 1 } } })
    return browse((page) =>
      Effect.gen(function*() {
        broken.set("connect", "fail")
        yield* Cache.warmUp(2)
        yield* isLive(page)
        yield* unlock(page)
        yield* activate(page.getByRole("button", { name: "Retire connection 2 of app/Cache", exact: true }))
        yield* eventually(Effect.sync(() => backend.connections.map(({ id }) => id)), [1])
        yield* eventually(textsOf(page, ".grid tbody td.number:nth-child(2)"), ["1"])
        yield* $(() => page.getByRole("link", { name: "Pools", exact: true }).click())
        yield* activate(page.locator(`${db} .actions button`, { hasText: "Warm up" }))
        yield* activate(page.locator("dialog button[type=submit]"))
        yield* $(() => page.locator(".notice.bad", { hasText: "app/Db could not be warmed up" }).waitFor())
      }), { path: "#/connections", allowed: /404|409/ }).pipe(Effect.provide(layer))
  })
})

describe("a server that lets nobody read without the token", () => {
  it.live("shows nothing before it has it", () => {
    const { layer } = twoPools({}, { reading: "token" })
    return browse((page) =>
      Effect.gen(function*() {
        yield* seen(page, "This server asks for its token")
        assert.strictEqual(yield* countOf(page, "article"), 0)
        yield* give(page, "not-the-right-token")
        yield* seen(page, "That was not the token.")
        yield* give(page, token)
        yield* isLive(page)
        yield* $(() => page.locator(cache).waitFor())
      }), { allowed: /401/ }).pipe(Effect.provide(layer))
  })
})

describe("filters", () => {
  it.live("pools by name, kind and status", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        const shown = textsOf(page, "article h3")
        yield* eventually(shown, ["app/Db", "app/Cache"])
        const find = page.getByLabel("Find pools by name, kind or status")
        yield* $(() => find.fill("redis"))
        yield* eventually(shown, ["app/Cache"])
        yield* $(() => find.fill(""))
        yield* $(() => page.getByLabel("Order of the pools").selectOption("name"))
        yield* eventually(shown, ["app/Cache", "app/Db"])
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("events by pool, kind and text; held, they wait", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* Effect.all([Db.pause, Cache.pause, Db.resume, Cache.resume])
        const shown = Effect.map(textsOf(page, ".log tbody tr"), (rows) =>
          rows.map((row) => row.split("\t").slice(1).map((text) => text.trim())))
        const paused = "paused: nobody is admitted"
        const all = [["app/Cache", "resumed"], ["app/Db", "resumed"], ["app/Cache", paused], ["app/Db", paused]]
        yield* eventually(
          Effect.map(shown, (rows) =>
            rows.toSorted()),
          all.toSorted()
        )
        yield* $(() => page.getByLabel("Events of pool").selectOption("app/Db"))
        yield* eventually(shown, [["app/Db", "resumed"], ["app/Db", paused]])
        yield* $(() => page.getByLabel("Kind of events").selectOption("Paused"))
        yield* eventually(shown, [["app/Db", paused]])
        yield* $(() => page.getByLabel("Kind of events").selectOption("problems"))
        yield* $(() => page.getByLabel("Find in events").fill("admitted"))
        yield* eventually(shown, [["app/Db", paused]])
        yield* press(page, "Hold")
        yield* Db.pause
        yield* seen(page, "Go on (1 new)")
        yield* eventually(shown, [["app/Db", paused]])
        yield* activate(page.getByRole("button", { name: /^Go on/ }))
        yield* eventually(shown, [["app/Db", paused], ["app/Db", paused]])
        yield* activate(page.locator(".log button").first())
        yield* $(() => page.getByRole("region", { name: "The chosen event" }).waitFor())
      }), { path: "#/events" }).pipe(Effect.provide(layer))
  })

  it.live("what happened before the page was opened is in its log", () => {
    const { layer } = twoPools()
    return Effect.gen(function*() {
      yield* Db.pause
      yield* Db.resume
      yield* browse((page) =>
        Effect.gen(function*() {
          yield* isLive(page)
          yield* eventually(
            Effect.map(textsOf(page, ".log tbody tr"), (rows) => rows.map((row) => row.split("\t").at(-1)?.trim())),
            ["resumed", "paused: nobody is admitted"]
          )
        }), { path: "#/events" })
    }).pipe(Effect.provide(layer))
  })

  it.live("leases are in the log only where asked for", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* Cache.withConnection(() => Effect.void, { label: "unseen" })
        yield* seen(page, "connection 1 opened")
        assert.strictEqual(yield* countOf(page, ".log tr:has-text('unseen')"), 0)
        const again = page.waitForResponse((response) => response.url().endsWith("&leases=true"))
        yield* $(() => page.getByLabel("Each lease").check())
        yield* $(() => again)
        yield* eventually(
          Effect.andThen(
            Cache.withConnection(() => Effect.void, { label: "seen" }),
            Effect.map(countOf(page, ".log tr:has-text('from “seen”')"), (rows) => rows > 0)
          ).pipe(Effect.orDie),
          true
        )
      }), { path: "#/events" }).pipe(Effect.provide(layer))
  })

  it.live("connections by state and text, sorted by any column", () => {
    const { layer } = twoPools({ cache: { maxConnections: 12 } })
    return Effect.gen(function*() {
      yield* Cache.warmUp(12)
      yield* Cache.acquireWith({ label: "night job" })
      yield* browse((page) =>
        Effect.gen(function*() {
          const ids = textsOf(page, ".grid tbody td:nth-child(2)")
          const upwards = Array.from({ length: 12 }, (_, index) => String(index + 1))
          yield* eventually(ids, upwards)
          yield* press(page, "Id")
          yield* eventually(ids, upwards)
          yield* press(page, "Id")
          yield* eventually(ids, upwards.toReversed())
          yield* $(() =>
            page.getByRole("columnheader", { name: "Id", exact: true }).and(page.locator("[aria-sort=descending]"))
              .waitFor()
          )
          yield* $(() => page.getByLabel("State of connections").selectOption("used"))
          yield* eventually(Effect.map(ids, ({ length }) => length), 1)
          yield* $(() => page.getByLabel("Find connections").fill("night"))
          yield* eventually(Effect.map(ids, ({ length }) => length), 1)
          yield* $(() => page.getByLabel("Find connections").fill("nothing like it"))
          yield* seen(page, "No connection.")
        }), { path: "#/connections" })
    }).pipe(Effect.scoped, Effect.provide(layer))
  })
})

describe("20 pools and 1000 connections", () => {
  it.live("leave the page quick: few elements, no long frames", () =>
    browse((page) =>
      Effect.gen(function*() {
        yield* eventually(countOf(page, "article"), 20)
        const frames = yield* watchFrames(page)
        for (const step of [600, 1200, 2400, 0]) {
          yield* $(() => page.evaluate(`scrollTo(0, ${step})`))
          yield* Effect.sleep("400 millis")
        }
        yield* $(() => page.getByRole("link", { name: "Connections", exact: true }).click())
        yield* eventually(textsOf(page, ".connections .badge"), ["1,000"])
        yield* press(page, "Uses")
        yield* $(() => page.evaluate("document.querySelector('.connections .scroll').scrollTop = 15000"))
        yield* $(() => page.locator("tr[aria-rowindex='480']").waitFor())
        assert.isBelow(yield* countOf(page, ".grid tbody tr"), 120)
        yield* $(() => page.getByLabel("Find connections").fill("pool-7"))
        yield* eventually(textsOf(page, ".connections .badge"), ["50"])
        const { elapsed, longest, total } = yield* frames.end
        yield* Effect.logDebug(`longest task ${longest} ms, long tasks ${total} of ${elapsed} ms`)
        // Far above what it takes: the machine may have other things to do.
        assert.isBelow(longest, 1500)
        assert.isBelow(total / elapsed, 0.7)
      })
    ).pipe(Effect.provide(manyPools(20, 50))))

  it.live("and a log of thousands of events keeps few elements and forgets the oldest", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        for (let round = 0; round < 40; round++) {
          yield* Effect.all(Array.from({ length: 80 }, (_, n) => n % 2 === 0 ? Cache.pause : Cache.resume))
          yield* Effect.sleep("10 millis")
        }
        yield* eventually(
          Effect.map(textsOf(page, ".events .badge"), ([text = ""]) => Number(text.replace(",", "")) >= 2000),
          true
        )
        const [text = ""] = yield* textsOf(page, ".events .badge")
        assert.isAtMost(Number(text.replace(",", "")), 2500)
        assert.isBelow(yield* countOf(page, ".log tr"), 100)
      }), { path: "#/events" }).pipe(Effect.provide(layer))
  })
})

describe("everybody can use it", () => {
  const views = ["", "#/connections", "#/alerts", "#/events", "#/pool/app%2FCache"]

  for (const colorScheme of ["light", "dark"] as const) {
    it.live(`every text can be read in ${colorScheme}`, () => {
      const { db: backend, layer } = twoPools({ db: { acquireTimeout: "50 millis", breaker: { minimumDials: 1 } } })
      return Effect.gen(function*() {
        backend.set("connect", "fail")
        yield* Effect.ignore(Db.withConnection(() => Effect.void))
        yield* Cache.acquire
        yield* Cache.acquire
        yield* browse((page) =>
          Effect.gen(function*() {
            yield* $(() => page.locator(".alerts li.warn").first().waitFor())
            yield* unlock(page)
            for (const view of views) {
              yield* $(() => page.evaluate(`location.hash = ${JSON.stringify(view || "#/")}`))
              yield* Effect.sleep("200 millis")
              assert.deepStrictEqual(yield* contrasts(page), [], view)
            }
          }), { colorScheme, allowed: /404/ })
      }).pipe(Effect.scoped, Effect.provide(layer))
    })
  }

  it.live("the theme is the system's until it is switched, and stays switched", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        const ground = $(() => page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        const light = "rgb(244, 245, 247)"
        yield* isLive(page)
        yield* eventually(ground, "rgb(14, 17, 22)")
        yield* $(() => page.emulateMedia({ colorScheme: "light" }))
        yield* eventually(ground, light)
        yield* $(() => page.emulateMedia({ colorScheme: "dark" }))
        yield* $(() => page.getByRole("button", { name: /^Theme: system/ }).click())
        yield* eventually(ground, light)
        yield* $(() => page.reload())
        yield* eventually(ground, light)
      }), { colorScheme: "dark" }).pipe(Effect.provide(layer))
  })

  it.live("every control and landmark has a name", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* unlock(page)
        for (const view of views) {
          yield* $(() => page.evaluate(`location.hash = ${JSON.stringify(view || "#/")}`))
          yield* Effect.sleep("200 millis")
          assert.deepStrictEqual(yield* namelessControls(page), [], view)
          assert.strictEqual(yield* countOf(page, "main"), 1)
        }
        for (const landmark of ["banner", "main", "navigation"] as const) {
          yield* $(() => page.getByRole(landmark).first().waitFor())
        }
      }), { allowed: /404/ }).pipe(Effect.provide(layer))
  })

  it.live("the keyboard reaches every control, shows where it is, and leaves again", () => {
    const { layer } = twoPools()
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        yield* $(() => page.locator(cache).waitFor())
        const { invisible, missed } = yield* focusOrder(page)
        assert.deepStrictEqual(missed, [])
        assert.deepStrictEqual(invisible, [])
        yield* $(() => page.locator("header button", { hasText: "Unlock" }).focus())
        yield* $(() => page.keyboard.press("Enter"))
        yield* $(() => page.getByRole("dialog", { name: "Unlock actions" }).waitFor())
        yield* $(() => page.keyboard.press("Escape"))
        yield* eventually(countOf(page, "dialog"), 0)
        yield* eventually($(() => page.evaluate("document.activeElement.textContent")), "Unlock actions")
      })
    ).pipe(Effect.provide(layer))
  })

  it.live("nothing moves by itself for those who asked for that", () => {
    const { layer } = twoPools()
    const moves = (reducedMotion: "reduce" | "no-preference") =>
      browse((page) =>
        Effect.gen(function*() {
          yield* $(() => page.locator(cache).waitFor())
          return yield* $(() =>
            page.evaluate(
              "document.getAnimations().length + parseFloat(getComputedStyle(document.querySelector('.bar span')).transitionDuration)"
            )
          )
        }), { reducedMotion })
    return Effect.gen(function*() {
      assert.strictEqual(yield* moves("reduce"), 0)
      assert.notStrictEqual(yield* moves("no-preference"), 0)
    }).pipe(Effect.provide(layer))
  })

  it.live("on a phone nothing is wider than the screen", () => {
    const { layer } = twoPools({ cache: { name: "a-pool-with-a-name-that-is-longer-than-a-phone-is-wide" } })
    return browse((page) =>
      Effect.gen(function*() {
        yield* isLive(page)
        for (const view of views) {
          yield* $(() => page.evaluate(`location.hash = ${JSON.stringify(view || "#/")}`))
          yield* Effect.sleep("200 millis")
          assert.strictEqual(yield* $(() => page.evaluate("document.documentElement.scrollWidth")), 360, view)
        }
      }), { viewport: { width: 360, height: 740 } }).pipe(Effect.provide(layer))
  })
})
