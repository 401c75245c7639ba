import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { playWithin } from "../src/scenes.ts"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

interface Run {
  readonly process: ChildProcess
  readonly output: () => string
}

const start = (): Run => {
  const args = ["--conditions=@effect-pools/source", main, "--filter", "throughput/http-get"]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
  let output = ""
  const add = (chunk: Buffer) => {
    output += String(chunk)
  }
  child.stdout.on("data", add)
  child.stderr.on("data", add)
  return { process: child, output: () => output }
}

/** The processes that one has started. */
const childrenOf = (pid: number | undefined): ReadonlyArray<number> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).split("\n").flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number)
    return child !== undefined && parent === pid ? [child] : []
  })

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Waits until it has started the server and the contenders. */
const underWay = async ({ process: { pid } }: Run): Promise<ReadonlyArray<number>> => {
  let children = childrenOf(pid)
  while (children.length < 5) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    children = childrenOf(pid)
  }
  return children
}

const signals = [["SIGINT", 130], ["SIGTERM", 143]] as const

describe("the processes of a run", () => {
  for (const [signal, expected] of signals) {
    it(`${signal} ends all of them`, async () => {
      const run = start()
      const children = await underWay(run)
      run.process.kill(signal)
      const [code] = await once(run.process, "exit")
      assert.strictEqual(code, expected)
      assert.deepStrictEqual(children.filter(isRunning), [])
    })
  }

  it("a contender that fails ends all of them, with exit code 1", async () => {
    const run = start()
    const children = await underWay(run)
    process.kill(children.at(-1) ?? 0, "SIGKILL")
    const [code] = await once(run.process, "exit")
    assert.strictEqual(code, 1)
    assert.match(run.output(), /the process of .* ended/)
    assert.deepStrictEqual(children.filter(isRunning), [])
  })

  it("none outlives a run that is killed", async () => {
    const run = start()
    const children = await underWay(run)
    run.process.kill("SIGKILL")
    await once(run.process, "exit")
    while (children.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 50))
  })

  it("the one of a scene that takes too long is ended, and there is no outcome", async () => {
    const worker = new URL("fixtures/endless.ts", import.meta.url)
    const before = childrenOf(process.pid)
    assert.deepStrictEqual(await playWithin(10_000, worker, "short", { _tag: "short" }), { played: 1 })
    assert.isUndefined(await playWithin(1000, worker, "endless", { _tag: "endless" }))
    assert.deepStrictEqual(childrenOf(process.pid).filter((child) => !before.includes(child) && isRunning(child)), [])
  })
})
