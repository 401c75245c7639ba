import { Monitoring, MonitoringApi } from "@effect-pools/manager"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Scope } from "effect"
import { type ClientRequest, get, type IncomingMessage } from "node:http"
import { ask, Cache, Db, decode, isolated, managed, monitored, pools } from "./support.ts"

type Options = Parameters<typeof managed>[1]

const world = (
  options: Monitoring.ServerOptions = {},
  manager: Options = {},
  pool: Parameters<typeof pools>[0] = {}
) => monitored(options).pipe(Layer.provideMerge(managed(pools(pool).layer, manager)), Layer.provideMerge(isolated))

const decodeMessage = Schema.decodeUnknownSync(Schema.fromJsonString(MonitoringApi.Message))

interface Received {
  readonly id: string | undefined
  readonly message: MonitoringApi.Message
}

interface Client {
  readonly status: number
  readonly contentType: string | undefined
  readonly response: IncomingMessage
  readonly messages: ReadonlyArray<Received>
  readonly comments: () => number
  readonly isClosed: () => boolean
}

const until = (is: () => boolean): Effect.Effect<void> =>
  Effect.repeat(Effect.suspend(() => Effect.sleep("10 millis")), { until: () => is() })

const parse = (frame: string): Received => {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(frame)?.[1]
  const message = decodeMessage(field("data"))
  assert.strictEqual(field("event"), message._tag)
  return { id: field("id"), message }
}

/** Opens a stream; `reads` false keeps the socket from being read. */
const open = (
  path = "events",
  { headers = {}, reads = true }: { readonly headers?: Record<string, string>; readonly reads?: boolean } = {}
): Effect.Effect<Client, never, Scope.Scope | Monitoring.Address> =>
  Effect.gen(function*() {
    const { url } = yield* Monitoring.Address
    let request: ClientRequest | undefined
    yield* Effect.addFinalizer(() => Effect.sync(() => request?.destroy()))
    return yield* Effect.callback<Client>((resume) => {
      request = get(new URL(path, url), { headers, agent: false }, (response) => {
        const messages: Array<Received> = []
        let comments = 0
        let rest = ""
        let isClosed = false
        response.on("error", () => {})
        response.on("close", () => {
          isClosed = true
        })
        if (reads) {
          response.setEncoding("utf8")
          response.on("data", (chunk: string) => {
            const frames = (rest + chunk).split("\n\n")
            rest = frames.pop() ?? ""
            for (const frame of frames) {
              if (frame.startsWith(":")) comments++
              else if (response.statusCode === 200) messages.push(parse(frame))
            }
          })
        }
        resume(Effect.succeed({
          status: response.statusCode ?? 0,
          contentType: response.headers["content-type"],
          response,
          messages,
          comments: () => comments,
          isClosed: () => isClosed
        }))
      })
      request.on("error", () => {})
    })
  })

const tags = ({ messages }: Client) =>
  messages.map(({ message }) => message._tag === "Happened" ? message.event._tag : message._tag)

const never = { sampleInterval: "1 hour" } as const

describe("/events", () => {
  it.live("says hello, then tells what happens as it happens", () =>
    Effect.gen(function*() {
      const client = yield* open()
      assert.deepStrictEqual([client.status, client.contentType], [200, "text/event-stream"])
      yield* Db.pause
      yield* Db.resume
      yield* Cache.retireAll
      yield* until(() => client.messages.length >= 4)
      assert.deepStrictEqual(tags(client), ["Hello", "Paused", "Resumed", "AllRetired"])
      const [hello, ...events] = client.messages
      assert.deepStrictEqual(
        hello?.message._tag === "Hello" && [
          hello.message.actions,
          hello.message.heartbeat,
          hello.message.sampleInterval,
          hello.message.instance
        ],
        [true, 15_000, 3_600_000, decode(MonitoringApi.Pools, yield* ask("pools")).instance]
      )
      assert.strictEqual(new Set(events.map(({ id }) => id)).size, 3)
    }).pipe(Effect.scoped, Effect.provide(world({}, never))))

  it.live("tells leases only to whom asks for them", () =>
    Effect.gen(function*() {
      const all = yield* open("events?leases=true")
      const some = yield* open()
      yield* Db.withConnection(() => Effect.void)
      yield* Db.pause
      yield* until(() => [all, some].every((client) => tags(client).includes("Paused")) && tags(all).length === 5)
      // Leases come beside the rest, each in its own order.
      const isOfLease = (tag: string) => tag === "Acquired" || tag === "Released"
      assert.deepStrictEqual(tags(all).filter(isOfLease), ["Acquired", "Released"])
      assert.deepStrictEqual(tags(all).filter((tag) => !isOfLease(tag)), ["Hello", "Opened", "Paused"])
      assert.deepStrictEqual(tags(some), ["Hello", "Opened", "Paused"])
    }).pipe(Effect.scoped, Effect.provide(world({}, never))))

  it.live("sends samples, alerts and signs of life", () =>
    Effect.gen(function*() {
      const client = yield* open()
      yield* Cache.drain
      yield* until(() => tags(client).includes("AlertRaised") && client.comments() >= 2)
      const sampled = client.messages.flatMap(({ message }) => message._tag === "Sampled" ? [message] : [])
      assert.deepStrictEqual(sampled.at(-1)?.pools.map(({ name, sample }) => [name, sample.state]), [
        ["app/Db", "open"],
        ["app/Cache", "closed"]
      ])
      const raised = client.messages.flatMap(({ message }) => message._tag === "AlertRaised" ? [message.alert] : [])
      assert.deepStrictEqual(raised.map(({ level, pool, rule }) => [level, rule, pool]), [
        ["critical", "unhealthy", "app/Cache"]
      ])
      assert.deepStrictEqual(decode(MonitoringApi.Alerts, yield* ask("alerts")).current, raised)
    }).pipe(
      Effect.scoped,
      Effect.provide(world({ heartbeat: "100 millis" }, { sampleInterval: "100 millis", alertAfter: 0 }))
    ))

  it.live("a client that comes back is given what it missed", () =>
    Effect.gen(function*() {
      const first = yield* open()
      yield* Db.pause
      yield* until(() => first.messages.length >= 2)
      first.response.destroy()
      yield* Db.resume
      yield* Db.retireAll
      const back = yield* open("events", { headers: { "last-event-id": first.messages[1]?.id ?? "" } })
      yield* until(() => back.messages.length >= 3)
      assert.deepStrictEqual(tags(back), ["Hello", "Resumed", "AllRetired"])
    }).pipe(Effect.scoped, Effect.provide(world({}, never))))

  it.live("a client that comes late is given the last events that it asks for", () =>
    Effect.gen(function*() {
      yield* Db.pause
      yield* Db.resume
      yield* Db.retireAll
      const client = yield* open("events?last=2")
      yield* until(() => client.messages.length >= 3)
      assert.deepStrictEqual(tags(client), ["Hello", "Resumed", "AllRetired"])
      for (const last of ["-1", "1001", "x", "1&last=2"]) {
        assert.strictEqual((yield* ask(`events?last=${last}`)).status, 400)
      }
      for (const leases of ["1", "", "true&leases=true"]) {
        assert.strictEqual((yield* ask(`events?leases=${leases}`)).status, 400)
      }
    }).pipe(Effect.scoped, Effect.provide(world({}, never))))

  it.live("a parameter that is not known is refused by name, with those that are", () =>
    Effect.gen(function*() {
      const answer = yield* ask("events?last=1&lease=true")
      assert.strictEqual(answer.status, 400)
      const { error, message } = JSON.parse(answer.body)
      assert.strictEqual(error, "bad-request")
      assert.match(message, /"lease" is no parameter.*last and leases/)
    }).pipe(Effect.scoped, Effect.provide(world({}, never))))

  it.live.each(["other.1", "1", "", ".", "nonsense\u00e9", "x.1e3"])(
    "a client that was with another server (%o) is told of the gap",
    (id) =>
      Effect.gen(function*() {
        const client = yield* open("events", { headers: { "last-event-id": encodeURIComponent(id) } })
        yield* until(() => client.messages.length >= 2)
        assert.deepStrictEqual(tags(client), ["Hello", "Gap"])
      }).pipe(Effect.scoped, Effect.provide(world({}, never)))
  )

  it.live("a pool makes no events for its leases while nobody watches", () =>
    Effect.gen(function*() {
      const client = yield* open("events?leases=true")
      yield* Db.withConnection(() => Effect.void)
      yield* until(() => tags(client).includes("Released"))
    }).pipe(Effect.scoped, Effect.provide(world({}, never))))

  it.live("a client that does not read is cut, and slows neither the pools nor the others", () =>
    Effect.gen(function*() {
      const slow = yield* open("events?leases=true", { reads: false })
      const quick = yield* open("events")
      slow.response.pause()
      let leases = 0
      yield* Effect.repeat(
        Effect.andThen(
          Effect.forEach(Array.from({ length: 200 }), () => Db.withConnection(() => Effect.void), { discard: true }),
          Effect.sleep("1 millis")
        ),
        {
          until: () => {
            leases += 200
            // Reading again shows what was left in the buffers, and then the end.
            return leases >= 100_000
          }
        }
      )
      slow.response.resume()
      yield* until(slow.isClosed)
      assert.isFalse(slow.response.complete)
      yield* Db.pause
      yield* until(() => tags(quick).includes("Paused"))
      assert.isFalse(quick.isClosed())
      assert.strictEqual((yield* Db.stats).counts.ended.success, leases)
    }).pipe(Effect.scoped, Effect.provide(world({ streamBuffer: 64 * 1024 }, never))))

  it.live("no more streams than allowed are open at once", () =>
    Effect.gen(function*() {
      const first = yield* open()
      assert.strictEqual((yield* ask("events")).status, 503)
      first.response.destroy()
      yield* Effect.repeat(Effect.map(Effect.scoped(open()), ({ status }) => status), {
        until: (status) => status === 200
      })
    }).pipe(Effect.scoped, Effect.provide(world({ streams: 1 }, never))))

  it.live("an open stream does not hold up the end of the server", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(world({}, never), scope)
      const client = yield* Effect.provide(open(), context)
      const started = performance.now()
      yield* Scope.close(scope, Exit.void)
      // The server would wait for two seconds for a client that does not leave.
      assert.isBelow(performance.now() - started, 1500)
      yield* until(client.isClosed)
      assert.isTrue(client.response.complete)
    }).pipe(Effect.scoped))
})
