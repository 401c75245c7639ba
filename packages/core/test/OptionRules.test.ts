import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Result } from "effect"
import * as OptionRules from "../src/OptionRules.ts"
import type { PoolOptions } from "../src/PoolConfig.ts"

interface Options extends PoolOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
}

const rules: OptionRules.Rules<OptionRules.Own<Options>> = {
  host: OptionRules.text,
  port: OptionRules.count(1, 65_535)
}

const poolOptions: ReadonlyArray<string> = Object.keys(
  {
    name: 1,
    minConnections: 1,
    maxConnections: 1,
    acquireTimeout: 1,
    connectTimeout: 1,
    validateTimeout: 1,
    resetTimeout: 1,
    closeTimeout: 1,
    drainTimeout: 1,
    idleTimeout: 1,
    maxLifetime: 1,
    maxLifetimeJitter: 1,
    maxUses: 1,
    freshnessWindow: 1,
    pendingLimit: 1,
    connectRate: 1,
    retry: 1,
    breaker: 1,
    healthCheck: 1,
    leakTimeout: 1,
    reclaimTimeout: 1,
    slowAcquireTimeout: 1,
    startup: 1,
    startupTimeout: 1,
    eventBuffer: 1,
    unref: 1,
    metrics: 1,
    traffic: 1,
    sizing: 1,
    thresholds: 1
  } satisfies Record<keyof PoolOptions, 1>
)

const refusal = (result: Result.Result<unknown, { readonly message: string }>): string =>
  Result.isFailure(result) ? result.failure.message : assert.fail("it was accepted")

describe("OptionRules", () => {
  it("parts a backend's options from the pool's, and names the pool", () => {
    const given: object = { host: "db", maxConnections: 3, unknown: 1 }
    const { own, pool } = Result.getOrThrow(OptionRules.split(rules, given as Options, "app/Db"))
    assert.deepStrictEqual(own, { host: "db" })
    assert.deepStrictEqual<object>(pool, { maxConnections: 3, unknown: 1, name: "app/Db" })
    assert.strictEqual(Result.getOrThrow(OptionRules.split(rules, { name: "mine" }, "app/Db")).pool.name, "mine")
  })

  it("an option that is nearly the name of a known one is refused with that name", () => {
    const cases = [
      ["hosts", "host"],
      ["HOST", "host"],
      ["prot", "port"],
      ["maxConections", "maxConnections"],
      ["maxconnections", "maxConnections"],
      ["acquireTimeouts", "acquireTimeout"],
      ["max", "maxConnections"],
      ["connectionTimeoutMillis", "acquireTimeout"]
    ] as const
    for (const [option, meant] of cases) {
      const message = refusal(OptionRules.split(rules, { [option]: 1 }, "db"))
      assert.strictEqual(message, `option ${option}: is not an option of a pool (did you mean "${meant}"?)`)
    }
    const unlike: object = { hostname: 1, pt: 1, timeout: 1 }
    assert.isTrue(Result.isSuccess(OptionRules.split(rules, unlike as Options, "db")))
    assert.strictEqual(
      refusal(OptionRules.check(rules, { Host: 1 } as OptionRules.Own<Options>)),
      "option Host: is not an option (did you mean \"host\"?)"
    )
  })

  it("no option of a pool is mistaken for a misspelt one of the backend", () => {
    for (const option of poolOptions) {
      const near = { [`${option}s`]: OptionRules.flag } as unknown as OptionRules.Rules<object>
      const { pool } = Result.getOrThrow(OptionRules.split(near, { [option]: undefined }, "db"))
      assert.containsAllKeys(pool, [option])
    }
  })

  it("an option called __proto__ is left to the pool, which refuses it", () => {
    const given = JSON.parse("{\"__proto__\":{}}") as Options
    assert.include(Object.keys(Result.getOrThrow(OptionRules.split(rules, given, "db")).pool), "__proto__")
  })

  it("a broken rule is told without the value", () => {
    const given: Options = { host: "\0secret" }
    assert.strictEqual(refusal(OptionRules.split(rules, given, "db")), "option host: must be a text without NUL")
  })

  it("an option without a rule is refused where there is no pool to know it", () => {
    const given: object = { toString: 1 }
    assert.strictEqual(refusal(OptionRules.check(rules, given)), "option toString: is not an option")
  })

  it.each<readonly [OptionRules.Rule, expects: string, good: ReadonlyArray<unknown>, bad: ReadonlyArray<unknown>]>([
    [OptionRules.flag, "true or false", [true, false], [0, "true"]],
    [OptionRules.text, "a text without NUL", ["a"], ["", "a\0", 1]],
    [OptionRules.secret, "a Redacted text, such as Redacted.make(\"...\")", [Redacted.make("a")], [
      "a",
      Redacted.make(1)
    ]],
    [
      OptionRules.secretOrEffect,
      "a Redacted text or an Effect that yields one",
      [Redacted.make("a"), Effect.succeed(Redacted.make("a"))],
      ["a"]
    ],
    [OptionRules.object, "an object", [{}], [null, "a"]],
    [OptionRules.callable, "a function", [() => 1], [{}]],
    [OptionRules.oneOf("a", 1), "\"a\" or 1", ["a", 1], ["1", "b"]],
    [OptionRules.count(0), "an integer of at least 0", [0, Number.MAX_SAFE_INTEGER], [-1, 0.5, Infinity, "1"]],
    [OptionRules.count(1, 2), "an integer from 1 to 2", [1, 2], [0, 3]],
    [
      OptionRules.duration(0),
      "a finite duration of at least 0 ms",
      [0, "1 day", Duration.seconds(1), { seconds: 1 }],
      [-1, Number.NaN, "Infinity", "soon", {}, { years: 1 }, "30 days", null]
    ],
    [
      OptionRules.duration("1 second", "24 hours"),
      "a duration from 1 second to 24 hours",
      ["1 second", "1 day"],
      [999, "2 days"]
    ]
  ])("rule %#", ({ expects: said, is }, expects, good, bad) => {
    assert.strictEqual(said, expects)
    for (const value of good) assert.isTrue(is(value), String(value))
    for (const value of bad) assert.isFalse(is(value), String(value))
  })
})

interface Retries {
  readonly times?: number | undefined
  readonly delay?: Duration.Input | undefined
}

const retries: OptionRules.OwnTable<Retries, { readonly times: number; readonly delay: number }> = {
  times: OptionRules.option(OptionRules.count(1), {
    does: "How often.",
    default: 1024,
    shows: "1 Ki",
    unit: "tries",
    tooSmall: "it gives up early."
  }),
  delay: OptionRules.option(OptionRules.duration(1), { does: "How long between two.", default: 5_000 })
}

const table: OptionRules.OwnTable<
  { readonly host?: string | undefined; readonly retries?: Retries | undefined },
  { readonly host: string }
> = {
  host: OptionRules.option(OptionRules.text, { does: "Where.", default: "localhost" }),
  retries: OptionRules.option(
    { expects: "an object with times", is: OptionRules.hasParts(retries, "times") },
    { does: "Tries.", defaults: "By default none.", within: retries }
  )
}

describe("a backend's table of options", () => {
  it("is the rules that its options are checked by, and their defaults", () => {
    assert.strictEqual(refusal(OptionRules.check(table, { host: "" })), "option host: must be a text without NUL")
    assert.strictEqual(table.host.default, "localhost")
    assert.strictEqual(retries.delay.default, 5_000)
    assert.isUndefined(table.retries.default)
  })

  it("completes options: the first that says anything has its way, then the default, durations in milliseconds", () => {
    assert.deepStrictEqual(OptionRules.complete(table, {}), { host: "localhost", retries: undefined })
    assert.strictEqual(OptionRules.complete(table, { host: "a" }, { host: "b" }).host, "a")
    assert.strictEqual(OptionRules.complete(table, {}, { host: "b" }).host, "b")
    assert.deepStrictEqual(OptionRules.complete(retries, { delay: "2 seconds" }), { times: 1024, delay: 2_000 })
    assert.deepStrictEqual(OptionRules.complete(retries, { times: 1, delay: undefined }), { times: 1, delay: 5_000 })
  })

  it("refuses the first of some options that is given", () => {
    const given = { host: "a", retries: undefined }
    assert.isTrue(Result.isSuccess(OptionRules.refuseAny(given, ["retries"], "has no effect")))
    assert.strictEqual(
      refusal(OptionRules.refuseAny(given, ["retries", "host"], "is no use")),
      "option host: is no use"
    )
  })

  it("tells every option, those within others after them", () => {
    const told = OptionRules.infosOf(table).map(({ default: value, defaults, expects, name, unit }) => [
      name,
      expects,
      unit,
      value ?? defaults
    ])
    assert.deepStrictEqual(told, [
      ["host", "a text without NUL", undefined, "\"localhost\""],
      ["retries", "an object with times", undefined, "By default none."],
      ["retries.times", "an integer of at least 1", "tries", "1 Ki"],
      ["retries.delay", "a finite duration of at least 1 ms", "duration", "5 s"]
    ])
  })

  it.each<readonly [value: unknown, isGood: boolean]>([
    [{ times: 1 }, true],
    [{ times: 1, delay: undefined }, true],
    [{ times: 0 }, false],
    [{ delay: "1 second" }, false],
    [{ times: 1, often: 2 }, false],
    [{ times: 1, toString: 2 }, false],
    [[], false],
    [null, false]
  ])("checks the parts of an option: %j", (value, isGood) => {
    assert.strictEqual(table.retries.is(value), isGood)
  })
})
