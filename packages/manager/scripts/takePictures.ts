/**
 * Takes the pictures of the dashboard for the READMEs, in a real browser:
 *
 *     npm run pictures [-- address | incident]
 *
 * Without an address it starts pools with a lively load and watches them for a while, and then others in an incident. It needs Chromium, by default at
 * `/usr/bin/chromium`, else as `CHROMIUM_PATH` says, and a dashboard that is built.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Monitoring } from "@effect-pools/manager"
import { Console, Effect } from "effect"
import { mkdirSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"
import { clusterOf, type LivelyCluster } from "./livelyCluster.ts"
import { type Lively, poolOf, token, world } from "./livelyPools.ts"

const folder = fileURLToPath(new URL("../../../docs/pictures/", import.meta.url))
/** ms; long enough for charts with something in them. */
const watched = 100_000
const largest = 300_000

interface Picture {
  readonly name: string
  readonly hash: string
  readonly width: number
  readonly height: number
  readonly colorScheme: "light" | "dark"
  readonly screen: "wide" | "phone"
}

const wide = { screen: "wide", width: 1400, height: 1000 } as const
const phone = { screen: "phone", width: 390, height: 844 } as const

const pictures: ReadonlyArray<Picture> = [
  { name: "dashboard-light", hash: "#/", colorScheme: "light", ...wide },
  { name: "dashboard-dark", hash: "#/", colorScheme: "dark", ...wide },
  { name: "pool-light", hash: "#/pool/database", colorScheme: "light", ...wide },
  { name: "pool-dark", hash: "#/pool/database", colorScheme: "dark", ...wide },
  { name: "phone-light", hash: "#/", colorScheme: "light", ...phone },
  { name: "phone-dark", hash: "#/", colorScheme: "dark", ...phone }
]

/** Of a shop whose nightly report has taken all connections of one pool. */
const incidentPictures: ReadonlyArray<Picture> = [
  { name: "incident-light", hash: "#/", colorScheme: "light", ...wide },
  { name: "incident-dark", hash: "#/", colorScheme: "dark", ...wide },
  { name: "incident-phone-light", hash: "#/", colorScheme: "light", ...phone },
  { name: "incident-phone-dark", hash: "#/", colorScheme: "dark", ...phone }
]

/** ms */
const incidentWatched = 45_000

const shopCluster: LivelyCluster = {
  name: "shop/orders",
  replicas: 2,
  options: {
    maxConnections: 5,
    acquireTimeout: "2 seconds",
    slowAcquireTimeout: "500 millis",
    probeInterval: "500 millis"
  },
  callers: 16,
  hold: 20,
  lags: [0, 40],
  jobs: [
    ["POST /checkout", "INSERT INTO orders (cart_id, total) VALUES ($1, $2) RETURNING id"],
    ["GET /orders/:id", "SELECT * FROM orders WHERE id = $1"],
    ["GET /orders", "SELECT * FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT 20"]
  ],
  holder: ["nightly-report", "SELECT region, sum(total) FROM orders GROUP BY region /* nightly report */", 5, 32_000]
}

const shop: ReadonlyArray<Lively> = [
  {
    name: "shop/cache",
    options: { kind: { name: "redis" }, maxConnections: 10 },
    callers: 12,
    hold: 8,
    jobs: [["GET /cart", "GET"], ["POST /checkout", "SETEX"]]
  },
  {
    name: "shop/payments",
    options: { kind: { name: "http" }, maxConnections: 8 },
    callers: 8,
    hold: 180,
    jobs: [["POST /checkout", "POST /v1/charges"]]
  }
]

let isUp = true

const database: LivelyCluster = {
  name: "database",
  replicas: 2,
  options: { maxConnections: 12, minConnections: 2, probeInterval: "500 millis" },
  callers: 36,
  hold: 45,
  lags: [0, 120],
  jobs: [
    ["POST /calls", "INSERT INTO calls (user_id, room, started_at) VALUES ($1, $2, now()) RETURNING id"],
    ["PATCH /calls/:id", "UPDATE calls SET ended_at = now() WHERE id = $1"],
    ["GET /users/:id", "SELECT id, name, plan FROM users WHERE id = $1"],
    ["GET /calls", "SELECT * FROM calls WHERE user_id = $1 ORDER BY started_at DESC LIMIT 20"]
  ]
}

const pools: ReadonlyArray<Lively> = [
  {
    name: "cache",
    options: { kind: { name: "redis" }, maxConnections: 10 },
    callers: 14,
    hold: 8,
    jobs: [["GET /users/:id", "GET"], ["POST /calls", "SETEX"]]
  },
  {
    name: "voice-api",
    options: { kind: { name: "http" }, maxConnections: 8 },
    callers: 14,
    hold: 220,
    jobs: [["POST /speech", "POST /v1/speech"], ["GET /voices", "GET /v1/voices"]]
  },
  {
    name: "realtime",
    options: { kind: { name: "websocket" }, acquireTimeout: "2 seconds" },
    callers: 6,
    hold: 700,
    jobs: [["room 12", "message"], ["room 7", "message"]],
    isUp: () => isUp
  }
]

const launch = Effect.acquireRelease(
  Effect.promise(() =>
    chromium.launch({
      executablePath: process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu"]
    })
  ),
  (browser) => Effect.promise(() => browser.close())
)

/** A page that may act, and that is there from the beginning: the log tells what happened since the page was opened. */
const open = (browser: Browser, url: string, scale: number) =>
  Effect.promise(async () => {
    const page = await browser.newPage({ deviceScaleFactor: scale })
    await page.addInitScript(`sessionStorage.setItem("effect-pools-token", ${JSON.stringify(token)})`)
    await page.goto(url)
    await page.locator("[data-link=live]").waitFor()
    return page
  })

const take = (page: Page, { colorScheme, hash, height, name, width }: Picture) =>
  Effect.promise(async () => {
    await page.setViewportSize({ width, height })
    await page.emulateMedia({ colorScheme })
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
    await page.locator("canvas").first().waitFor()
    await page.waitForTimeout(2500)
    const path = `${folder}${name}.png`
    await page.screenshot({ path, animations: "disabled" })
    const { size } = statSync(path)
    if (size > largest) throw new Error(`${name}.png has ${size} bytes, more than ${largest}`)
    return `${name}.png ${Math.round(size / 1000)} kB`
  })

/** A short outage near the end, for something to tell. */
const outage = Effect.gen(function*() {
  yield* Effect.sleep(watched * 0.55)
  isUp = false
  yield* Effect.sleep(watched * 0.1)
  isUp = true
})

const takeAll = (url: string, watch: number, all: ReadonlyArray<Picture> = pictures) =>
  Effect.gen(function*() {
    mkdirSync(folder, { recursive: true })
    const browser = yield* launch
    const pages = { wide: yield* open(browser, url, 1), phone: yield* open(browser, url, 2) }
    yield* Console.log(`watching the pools for ${watch / 1000} s`)
    yield* Effect.sleep(watch)
    yield* Effect.forEach(all, (picture) => Effect.flatMap(take(pages[picture.screen], picture), Console.log))
  }).pipe(Effect.scoped)

const own = Effect.gen(function*() {
  const { url } = yield* Monitoring.Address
  yield* Effect.forkScoped(outage)
  yield* takeAll(url, watched)
}).pipe(Effect.scoped, Effect.provide(world([clusterOf(database), ...pools.map(poolOf)])))

const incident = Effect.gen(function*() {
  const { url } = yield* Monitoring.Address
  yield* takeAll(url, incidentWatched, incidentPictures)
}).pipe(Effect.scoped, Effect.provide(world([clusterOf(shopCluster), ...shop.map(poolOf)])))

const [, , address] = process.argv

/** `incident` takes those of the incident alone. */
const asked = address === undefined
  ? Effect.andThen(own, incident)
  : address === "incident"
  ? incident
  : takeAll(new URL(address).href, 10_000)

NodeRuntime.runMain(asked)
