import { assert, describe, it, layer } from "@effect/vitest"
import { EmbeddedRedis, TestCertificate } from "@effect-pools/testing"
import { Effect, Exit, Fiber, Redacted, Schedule } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as Net from "node:net"
import { join } from "node:path"
import * as Tls from "node:tls"
import { fileURLToPath } from "node:url"

const { EmbeddedRedis: Redis } = EmbeddedRedis

const directories = () => readdirSync(tmpdir()).filter((name) => name.startsWith("effect-pools-redis-"))

const eventually = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (isTrue: boolean) => isTrue }),
    Effect.timeout("20 seconds")
  )

const withPath = (path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env["PATH"]
      process.env["PATH"] = path
      return before
    }),
    (before) => Effect.sync(() => void (process.env["PATH"] = before))
  )

const connect = (port: number) =>
  Effect.acquireRelease(
    Effect.sync(() => Net.connect({ host: "127.0.0.1", port }).on("error", () => {})),
    (socket) => Effect.sync(() => void socket.destroy())
  )

const overTls = (port: number, text: string) =>
  Effect.callback<string, Error>((resume) => {
    const socket = Tls.connect({ host: "127.0.0.1", port, servername: "localhost", ca: TestCertificate.certificate })
    socket.once("error", (error) => resume(Effect.fail(error)))
    socket.once("data", (chunk) => resume(Effect.succeed(chunk.toString())))
    socket.write(text)
    return Effect.sync(() => void socket.destroy())
  })

describe("EmbeddedRedis", () => {
  layer(EmbeddedRedis.layer({ password: `p@ss "w\\o/rd`, tls: true, settings: { maxclients: 7, appendonly: true } }), {
    excludeTestServices: true
  })((it) => {
    it.effect("runs with the settings given", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        assert.deepStrictEqual(yield* redis.command("CONFIG", "GET", "maxclients"), ["maxclients", "7"])
        assert.strictEqual(Redacted.value(redis.url), `redis://:p%40ss%20%22w%5Co%2Frd@127.0.0.1:${redis.port}`)
      }))

    it.effect("answers any kind of reply, and tells of errors", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        assert.strictEqual(yield* redis.command("SET", "a\r\nkey", "ä value"), "OK")
        assert.strictEqual(yield* redis.command("GET", "a\r\nkey"), "ä value")
        assert.strictEqual(yield* redis.command("INCRBY", "n", 3), 3)
        assert.isNull(yield* redis.command("GET", "none"))
        assert.deepStrictEqual(yield* redis.command("EVAL", "return {1, {'x', false}}", 0), [1, ["x", null]])
        const error = yield* Effect.flip(redis.command("GET"))
        assert.include(error.message, "wrong number of arguments")
      }))

    it.effect("wants the password, also over TLS", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        assert.include(yield* overTls(redis.tlsPort ?? 0, "GET n\r\n"), "NOAUTH")
      }))

    it.effect("tells of clients, without its own", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* connect(redis.port)
        const clients = yield* Effect.repeat(redis.clients, {
          until: (clients) => clients.some(({ command }) => command === "NULL")
        }).pipe(Effect.timeout("10 seconds"))
        const { id, ...client } = clients.find(({ command }) => command === "NULL")!
        assert.isAbove(id, 0)
        assert.deepStrictEqual(client, { command: "NULL", db: 0, flags: "N", name: "" })
        assert.isTrue(clients.every(({ name }) => name === ""))
      }))

    it.effect("refuses more than maxclients", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* Effect.replicateEffect(connect(redis.port), 20)
        const error = yield* Effect.repeat(
          Effect.flip(Effect.asVoid(redis.command("PING"))).pipe(Effect.retry({ times: 50 })),
          {
            until: (error) => error.message.includes("max number of clients"),
            times: 50
          }
        )
        assert.include(error.message, "max number of clients reached")
      }).pipe(Effect.scoped))

    it.effect("keeps its port, and its data if its settings say so, over a crash", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* Effect.retry(redis.command("PING"), Schedule.spaced("20 millis"))
        const before = yield* redis.pid
        yield* redis.command("SET", "kept", "yes")
        yield* redis.restart
        assert.notStrictEqual(yield* redis.pid, before)
        assert.strictEqual(yield* redis.command("GET", "kept"), "yes")
      }))

    it.effect("is down between kill9 and start, and between shutDown and start", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        for (const end of [redis.kill9, redis.shutDown]) {
          yield* end
          assert.isUndefined(yield* redis.pid)
          assert(Exit.isFailure(yield* Effect.exit(redis.command("PING"))))
          yield* end
          yield* redis.start
          yield* redis.start
          assert.strictEqual(yield* redis.command("PING"), "PONG")
        }
      }))

    it.effect("answers nothing while it is stopped", () =>
      Effect.gen(function*() {
        const redis = yield* Redis
        yield* redis.stop
        const asked = yield* Effect.forkChild(redis.command("PING"))
        yield* Effect.sleep("200 millis")
        assert.isUndefined(asked.pollUnsafe())
        yield* redis.cont
        assert.strictEqual(yield* Fiber.join(asked), "PONG")
      }))
  })

  it.live("needs no password unless one is given, and has no TLS unless asked", () =>
    Effect.gen(function*() {
      const redis = yield* EmbeddedRedis.make()
      assert.strictEqual(yield* redis.command("PING"), "PONG")
      assert.deepStrictEqual([redis.password, redis.tlsPort], [undefined, undefined])
    }))

  it.live("leaves no process and no directory behind, whatever its state", () =>
    Effect.gen(function*() {
      const before = directories()
      for (const fault of ["none", "kill9", "shutDown", "stop"] as const) {
        const pid = yield* Effect.scoped(Effect.gen(function*() {
          const redis = yield* EmbeddedRedis.make()
          const pid = yield* redis.pid
          assert.strictEqual(directories().length, before.length + 1)
          if (fault !== "none") yield* redis[fault]
          return pid
        }))
        assert.deepStrictEqual(directories(), before, fault)
        assert.isFalse(existsSync(`/proc/${pid}`), fault)
      }
    }))

  it.live("leaves no process and no directory behind when this process is killed", () =>
    Effect.gen(function*() {
      const fixture = fileURLToPath(new URL("fixtures/killed.ts", import.meta.url))
      const child = spawn(process.execPath, ["--conditions=@effect-pools/source", fixture])
      yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
      const [pid, directory] = yield* Effect.callback<ReadonlyArray<string>>((resume) => {
        child.stdout.once("data", (chunk) => resume(Effect.succeed(String(chunk).trim().split(" "))))
      }).pipe(Effect.timeout("30 seconds"))
      assert(existsSync(`/proc/${pid}`) && existsSync(directory!))
      child.kill("SIGKILL")
      yield* eventually(() => !existsSync(`/proc/${pid}`) && !existsSync(directory!))
    }))

  it.live("fails with what the server said when a setting is wrong, and leaves nothing behind", () =>
    Effect.gen(function*() {
      const before = directories()
      const error = yield* Effect.flip(Effect.scoped(EmbeddedRedis.make({ settings: { maxclients: "many" } })))
      assert.strictEqual(error.step, "start")
      assert.include(error.message, "maxclients")
      assert.deepStrictEqual(directories(), before)
    }))

  it.live("an interrupted start leaves nothing behind, and startTimeout ends it with an error", () =>
    Effect.gen(function*() {
      const before = directories()
      for (const after of [1, 10, 30, 100]) {
        yield* Effect.scoped(EmbeddedRedis.make()).pipe(Effect.timeoutOption(after))
        assert.deepStrictEqual(directories(), before)
      }
      const error = yield* Effect.flip(Effect.scoped(EmbeddedRedis.make({ startTimeout: "1 millis" })))
      assert.include(error.message, "not done within 1 millis")
    }))

  it.live("a cluster is in order at its start, and takes keys where they belong", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ password: "secret", masters: 3, replicas: 1 })
      assert.strictEqual(cluster.nodes.length, 6)
      for (const node of cluster.nodes) {
        assert.include(String(yield* node.command("CLUSTER", "INFO")), "cluster_state:ok")
      }
      const slot = yield* cluster.slotOf("foo")
      assert.strictEqual(slot, 12_182)
      const holder = yield* cluster.masterOf(slot)
      assert.strictEqual(yield* holder.command("SET", "foo", "bar"), "OK")
      const other = cluster.nodes.find((node) => node !== holder)
      assert.include((yield* Effect.flip(other!.command("GET", "foo"))).message, `MOVED 12182 127.0.0.1:${holder.port}`)
    }))

  it.live("a slot of a cluster moves, with ASK on the way", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ password: "secret" })
      const slot = yield* cluster.slotOf("foo")
      const from = yield* cluster.masterOf(slot)
      const to = cluster.nodes.find((node) => node !== from)!
      yield* from.command("SET", "foo", "bar")
      yield* cluster.beginMove(slot, to)
      assert.strictEqual(yield* from.command("GET", "foo"), "bar")
      const asked = yield* Effect.flip(from.command("GET", "{foo}other"))
      assert.include(asked.message, `ASK ${slot} 127.0.0.1:${to.port}`)
      yield* cluster.finishMove(slot, to)
      assert.include((yield* Effect.flip(from.command("GET", "foo"))).message, `MOVED ${slot} 127.0.0.1:${to.port}`)
      assert.strictEqual(yield* to.command("GET", "foo"), "bar")
    }))

  it.live("a replica takes over from a node that is killed", () =>
    Effect.gen(function*() {
      const cluster = yield* EmbeddedRedis.cluster({ replicas: 1 })
      const master = yield* cluster.masterOf(0)
      const [replica] = yield* cluster.replicasOf(master)
      yield* master.kill9
      yield* cluster.settled
      assert.strictEqual((yield* cluster.masterOf(0)).id, replica!.id)
    }))

  it.live("sentinels replace a master on command", () =>
    Effect.gen(function*() {
      const sentinel = yield* EmbeddedRedis.sentinel({ password: "secret", sentinelPassword: "other" })
      const first = yield* sentinel.master
      assert.strictEqual(first, sentinel.servers[0])
      const second = yield* sentinel.failover
      assert.notStrictEqual(second, first)
      assert.strictEqual(yield* second.command("SET", "a", "1"), "OK")
      assert.strictEqual(yield* sentinel.master, second)
    }))

  it.live("sentinels replace a master that is killed", () =>
    Effect.gen(function*() {
      const sentinel = yield* EmbeddedRedis.sentinel({ replicas: 2 })
      const first = yield* sentinel.master
      yield* first.kill9
      const second = yield* sentinel.masterAfter(first)
      assert.strictEqual(yield* second.command("SET", "a", "1"), "OK")
    }))

  const isRoot = process.platform === "linux" && process.getuid?.() === 0

  it.live.skipIf(!isRoot)(
    "installs the package of tools, under a lock, and runs the server that is in it",
    () =>
      Effect.gen(function*() {
        const found = yield* Effect.sync(() => execFileSync("which", ["redis-server"], { encoding: "utf8" }).trim())
        const dir = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "fake-install-"))),
          (dir) => Effect.sync(() => rmSync(dir, { recursive: true }))
        )
        const installs = `#!/bin/sh\necho "$@" > ${dir}/asked\n/bin/ln -s ${
          realpathSync(found)
        } ${dir}/redis-check-rdb\n`
        writeFileSync(join(dir, "flock"), installs, { mode: 0o755 })
        yield* withPath(dir)
        const redis = yield* EmbeddedRedis.make()
        assert.strictEqual(yield* redis.command("PING"), "PONG")
        const asked = readFileSync(join(dir, "asked"), "utf8")
        assert.match(asked, /^\/tmp\/effect-pools-redis\.lock \/bin\/sh -c/)
        assert.include(asked, "apt-get install -y --no-install-recommends redis-tools")
      })
  )

  it.live("says what to install where there is no server and none can be installed", () =>
    Effect.gen(function*() {
      yield* withPath("/nowhere")
      const error = yield* Effect.flip(EmbeddedRedis.make())
      assert.strictEqual(error.step, "install")
      assert.include(error.message, "apt-get install redis-tools")
    }))
})
