import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { corpusFolder, readCorpus, writeCase } from "../src/Corpus.ts"
import { Dice } from "../src/Dice.ts"
import { fuzz, protocols } from "../src/Fuzz.ts"
import { mutate } from "../src/mutate.ts"
import type { Protocol } from "../src/Protocol.ts"

const planted = (use: Protocol["use"]): Protocol => ({ name: "planted", answerer: () => () => Buffer.of(1), use })

describe("the fuzzer", () => {
  it("finds a defect, with the seed that makes it happen again", async () => {
    const protocol = planted(() => Effect.succeed([]).pipe(Effect.andThen(Effect.die(new Error("planted")))))
    const { violations } = await fuzz({ seed: 7, millis: 50, corpus: [], protocols: [protocol], longest: 1000 })
    const found = violations.find(({ protocol }) => protocol === "planted")
    assert.match(found?.found ?? "", /a defect: .*planted/s)
    assert.match(found?.how ?? "", /--seed \d+/)
  })

  it("finds a use that hangs", async () => {
    const protocol = planted(() => Effect.never)
    const { violations } = await fuzz({ seed: 7, millis: 50, corpus: [], protocols: [protocol], longest: 100 })
    assert.include(violations.map(({ found }) => found), "it took longer than 100 ms")
  })

  it("finds what nobody caught", async () => {
    const protocol = planted(() => Effect.sync(() => void Promise.reject(new Error("uncaught"))))
    // The test runner listens as well, and would fail on what is planted here.
    const listeners = process.listeners("unhandledRejection")
    process.removeAllListeners("unhandledRejection")
    const { uncaught } = await fuzz({ seed: 7, millis: 50, corpus: [], protocols: [protocol], longest: 1000 })
    for (const listener of listeners) process.on("unhandledRejection", listener)
    assert.match(uncaught[0] ?? "", /uncaught/)
  })

  it("says a written case again, byte for byte", () => {
    const folder = mkdtempSync(`${tmpdir()}/corpus-`)
    const said = [[{ bytes: Buffer.of(0, 255, 13, 10), pieces: 3, then: "reset" as const }], []]
    writeCase(folder, "case", { protocol: "redis", found: "words", said })
    assert.deepStrictEqual(readCorpus(folder), [{ protocol: "redis", found: "words", said }])
    rmSync(folder, { recursive: true })
  })

  it("throws the same dice for the same seed", () => {
    const bytes = Buffer.from("$5\r\nhello\r\n")
    const thrown = (seed: number) => {
      const dice = new Dice(seed)
      return Array.from({ length: 50 }, () => mutate(bytes, dice).toString("hex"))
    }
    assert.deepStrictEqual(thrown(5), thrown(5))
    assert.notDeepEqual(thrown(5), thrown(6))
  })
})

describe("every pool, met by servers that answer wrongly and by options that make no sense", () => {
  it("ends each use in time and typed, and leaves nothing uncaught", async () => {
    const outcome = await fuzz({
      seed: 20_261_129,
      millis: 15_000,
      corpus: readCorpus(corpusFolder),
      protocols,
      longest: 20_000
    })
    for (const name of [...protocols.map(({ name }) => name), "options"]) {
      assert.isAtLeast(outcome.exchanges[name] ?? 0, 5, `too few exchanges of ${name}`)
    }
    assert.deepStrictEqual(outcome.violations.map(({ found, how, protocol }) => `${protocol} ${how}: ${found}`), [])
    assert.deepStrictEqual(outcome.uncaught, [])
  })
})
