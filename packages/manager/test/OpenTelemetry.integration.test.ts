import { LeaseSpan } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { Db, isolated, managed, pools } from "./support.ts"

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly doubleValue?: number; readonly intValue?: number }
}

interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble?: number
  readonly count?: number
  readonly sum?: number
  readonly bucketCounts?: ReadonlyArray<number>
  readonly explicitBounds?: ReadonlyArray<number>
}

interface Exported {
  readonly resourceMetrics?: ReadonlyArray<{
    readonly scopeMetrics: ReadonlyArray<{
      readonly metrics: ReadonlyArray<{
        readonly name: string
        readonly unit: string
        readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
        readonly sum?: { readonly dataPoints: ReadonlyArray<Point>; readonly isMonotonic: boolean }
        readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
      }>
    }>
  }>
  readonly resourceLogs?: ReadonlyArray<{
    readonly scopeLogs: ReadonlyArray<{ readonly logRecords: ReadonlyArray<{ readonly body: unknown }> }>
  }>
  readonly resourceSpans?: ReadonlyArray<{
    readonly scopeSpans: ReadonlyArray<{
      readonly spans: ReadonlyArray<{
        readonly name: string
        readonly spanId: string
        readonly parentSpanId?: string
        readonly attributes: ReadonlyArray<Attribute>
        readonly events: ReadonlyArray<{ readonly name: string }>
      }>
    }>
  }>
}

/** Takes what is exported, as a collector would. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly received: ReadonlyArray<Exported>; readonly close: () => void }>(
    (resume) => {
      const received: Array<Exported> = []
      const server = createServer((request, response) => {
        void text(request).then((body) => {
          received.push(JSON.parse(body))
          response.setHeader("content-type", "application/json")
          response.end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
        const close = (): void => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ url, received, close }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const exporter = (baseUrl: string) =>
  Otlp.layerJson({
    baseUrl,
    resource: { serviceName: "shop" },
    metricsExportInterval: "100 millis",
    tracerExportInterval: "100 millis"
  }).pipe(Layer.provide(FetchHttpClient.layer))

const until = <A>(read: () => A | undefined): Effect.Effect<A> =>
  Effect.suspend(() => {
    const found = read()
    return found === undefined ? Effect.delay(until(read), "20 millis") : Effect.succeed(found)
  })

const attributes = (of: ReadonlyArray<Attribute>) => new Map(of.map(({ key, value }) => [key, value]))

describe("OpenTelemetry", () => {
  it.live("gets the metrics of a database pool by the names of the conventions", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      const world = exporter(url).pipe(
        Layer.provideMerge(managed(pools({ db: { name: "orders" } }).layer)),
        Layer.provideMerge(isolated)
      )
      yield* Effect.gen(function*() {
        yield* Db.withConnection(() => Effect.sleep("5 millis"))
        yield* Db.withConnection(() => Effect.void)
        const metrics = () =>
          received.flatMap(({ resourceMetrics = [] }) =>
            resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
          )
        const ofOrders = ({ attributes: given }: Point) =>
          attributes(given).get("db.client.connection.pool.name")?.stringValue === "orders"
        const histogram = (name: string, count: number) =>
          until(() =>
            metrics().flatMap((metric) => metric.name === name ? metric.histogram?.dataPoints ?? [] : [])
              .find((point) => ofOrders(point) && Number(point.count) === count)
          )
        const uses = yield* histogram("db.client.connection.use_time", 2)
        assert.isAtLeast(uses.sum ?? 0, 0.004)
        assert.strictEqual(uses.bucketCounts?.reduce((sum, count) => sum + Number(count), 0), 2)
        yield* histogram("db.client.connection.wait_time", 2)
        yield* histogram("db.client.connection.create_time", 1)
        const names = new Map(metrics().map(({ name, unit }) => [name, unit]))
        assert.deepStrictEqual(
          Array.from(names).filter(([name]) => name.startsWith("db.client.")).toSorted(),
          [
            ["db.client.connection.count", "{connection}"],
            ["db.client.connection.create_time", "s"],
            ["db.client.connection.idle.max", "{connection}"],
            ["db.client.connection.idle.min", "{connection}"],
            ["db.client.connection.max", "{connection}"],
            ["db.client.connection.pending_requests", "{request}"],
            ["db.client.connection.timeouts", "{timeout}"],
            ["db.client.connection.use_time", "s"],
            ["db.client.connection.wait_time", "s"]
          ]
        )
        const idle = yield* until(() =>
          metrics().flatMap(({ gauge, name }) => name === "db.client.connection.count" ? gauge?.dataPoints ?? [] : [])
            .find((point) =>
              ofOrders(point) &&
              attributes(point.attributes).get("db.client.connection.state")?.stringValue === "idle" &&
              point.asDouble === 1
            )
        )
        assert.strictEqual(idle.asDouble, 1)
      }).pipe(Effect.provide(world))
    }).pipe(Effect.scoped))

  it.live("gets a span for a lease that was taken with one, its work below it", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      const world = exporter(url).pipe(
        Layer.provideMerge(managed(pools({ db: { name: "orders", maxConnections: 1 } }).layer)),
        Layer.provideMerge(isolated)
      )
      yield* Effect.gen(function*() {
        const work = LeaseSpan.withConnection(Db, () => Effect.withSpan(Effect.sleep("30 millis"), "SELECT"))
        yield* Effect.withSpan(Effect.all([work, work], { concurrency: 2 }), "checkout")
        const spans = () =>
          received.flatMap(({ resourceSpans = [] }) =>
            resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
          )
        const checkout = yield* until(() => spans().find(({ name }) => name === "checkout"))
        const leases = spans().filter(({ name }) => name === "orders lease")
        assert.deepStrictEqual(leases.map(({ parentSpanId }) => parentSpanId), [checkout.spanId, checkout.spanId])
        assert.deepStrictEqual(leases.map(({ events }) => events.map(({ name }) => name)), [["acquired"], ["acquired"]])
        const told = leases.map((lease) => attributes(lease.attributes))
        assert.deepStrictEqual(
          told.map((of) => [
            of.get("db.client.connection.pool.name")?.stringValue,
            of.get("pool.label")?.stringValue
          ]),
          [["orders", "checkout"], ["orders", "checkout"]]
        )
        const waits = told.map((of) => of.get("pool.wait")).map((wait) => Number(wait?.doubleValue ?? wait?.intValue))
        assert.isAtLeast(Math.max(...waits), 25)
        const below = spans().flatMap(({ name, parentSpanId }) => name === "SELECT" ? [parentSpanId] : [])
        assert.deepStrictEqual(new Set(below), new Set(leases.map(({ spanId }) => spanId)))
      }).pipe(Effect.provide(world))
    }).pipe(Effect.scoped))

  it.live("gets what pools and the manager log, when it is below them as the README says", () =>
    Effect.gen(function*() {
      const { received, url } = yield* collector
      const connections = managed(pools({ db: { leakTimeout: "50 millis" } }).layer)
      const observed = connections.pipe(
        Layer.provideMerge(exporter(url)),
        Layer.provide(Layer.sync(Metric.MetricRegistry, () => new Map()))
      )
      yield* Effect.provide(Db.withConnection(() => Effect.sleep("150 millis"), { label: "leaky" }), observed)
      const lines = received.flatMap(({ resourceLogs = [] }) =>
        resourceLogs.flatMap(({ scopeLogs }) =>
          scopeLogs.flatMap(({ logRecords }) => logRecords.map(({ body }) => body))
        )
      ).map((body) => JSON.stringify(body))
      assert.isTrue(lines.some((line) => line.includes("leaky")), lines.join("\n"))
      assert.isTrue(lines.some((line) => line.includes("drained 2 pools")), lines.join("\n"))
    }).pipe(Effect.scoped))

  it.live("gets no span for any other lease", () =>
    Effect.gen(function*() {
      const names: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          names.push(options.name)
          return new Tracer.NativeSpan(options)
        }
      })
      yield* Effect.withTracer(
        Effect.andThen(Db.withConnection(() => Effect.void), LeaseSpan.withShared(Db, () => Effect.void)),
        tracer
      )
      assert.deepStrictEqual(names, ["app/Db lease"])
    }).pipe(Effect.provide(managed(pools().layer))))

  it.effect("a lease in a span is called after the span outside, or as it says itself", () =>
    Effect.gen(function*() {
      const label = Effect.map(Db.connections, ([connection]) => connection?.label)
      assert.strictEqual(yield* Effect.withSpan(LeaseSpan.withConnection(Db, () => label), "outside"), "outside")
      assert.strictEqual(yield* LeaseSpan.withConnection(Db, () => label, { label: "own" }), "own")
    }).pipe(Effect.provide(managed(pools().layer))))
})
