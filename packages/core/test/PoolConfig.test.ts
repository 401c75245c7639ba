import { assert, describe, it } from "@effect/vitest"
import { PoolConfig, PoolError, PoolKind } from "@effect-pools/core"
import { Config, ConfigProvider, Duration, Effect, Schedule } from "effect"
import { db, http, redis, websocket } from "./support/kinds.ts"

const kinds = [db, redis, http, websocket, PoolKind.service]

/** A test hands in what the types forbid, as JavaScript would. */
const make = (options: unknown, kind = db) => PoolConfig.make(kind, "app/Db", options as PoolConfig.PoolOptions)

const refusal = (options: unknown) =>
  Effect.map(Effect.flip(make(options)), (error) => {
    assert.instanceOf(error, PoolError.PoolError)
    assert.strictEqual(error.pool, "app/Db")
    assert.instanceOf(error.reason, PoolError.InvalidOption)
    return error.reason as PoolError.InvalidOption
  })

const durations = [
  "acquireTimeout",
  "connectTimeout",
  "validateTimeout",
  "resetTimeout",
  "closeTimeout",
  "drainTimeout",
  "idleTimeout",
  "maxLifetime",
  "leakTimeout",
  "reclaimTimeout",
  "slowAcquireTimeout",
  "startupTimeout"
] as const

const badDurations: ReadonlyArray<readonly [value: unknown, shown: string]> = [
  [0, "0"],
  [-1, "-1"],
  [NaN, "NaN"],
  [Infinity, "Infinity"],
  ["3", "\"3\""],
  ["3 s", "\"3 s\""],
  ["0 seconds", "\"0 seconds\""],
  ["-5 seconds", "\"-5 seconds\""],
  ["Infinity", "\"Infinity\""],
  ["seconds", "\"seconds\""],
  [0n, "0n"],
  [Duration.infinity, "Infinity"],
  [Duration.zero, "0"],
  [{}, "an object"],
  [{ second: 5 }, "an object"],
  [{ seconds: NaN }, "an object"],
  [{ seconds: "5" }, "an object"],
  [[1, NaN], "an array"],
  [[1], "an array"],
  [null, "null"],
  [true, "true"],
  [() => 5, "a function"]
]

const fraction = "must be a number greater than 0 and at most 1"
const duration = "must be a finite duration greater than 0, such as \"5 seconds\" or 5000"
const connections = (minimum: number) => `must be an integer from ${minimum} to 100000`

const bad: ReadonlyArray<readonly [option: string, options: unknown, rule: string]> = [
  ...durations.flatMap((name) =>
    badDurations.map(([value, shown]) => [name, { [name]: value }, `${duration}, got ${shown}`] as const)
  ),
  ...[NaN, -1, 1.5, "3", Infinity, 2 ** 53, null, 5n].map((value) =>
    [
      "minConnections",
      { minConnections: value },
      `${connections(0)}, got ${
        value === null ? "null" : typeof value === "string" ? `"${value}"` : typeof value === "bigint" ? "5n" : value
      }`
    ] as const
  ),
  ["maxConnections", { maxConnections: 0 }, `${connections(1)}, got 0`],
  ["maxConnections", { maxConnections: NaN }, `${connections(1)}, got NaN`],
  ["maxConnections", { maxConnections: "20" }, `${connections(1)}, got "20"`],
  ["maxConnections", { maxConnections: 1e9 }, `${connections(1)}, got 1000000000`],
  ["maxLifetimeJitter", { maxLifetimeJitter: -0.1 }, "must be a number from 0 to 1, got -0.1"],
  ["maxLifetimeJitter", { maxLifetimeJitter: 1.1 }, "must be a number from 0 to 1, got 1.1"],
  ["maxLifetimeJitter", { maxLifetimeJitter: NaN }, "must be a number from 0 to 1, got NaN"],
  ["maxUses", { maxUses: 0 }, "must be an integer of at least 1, got 0"],
  ["maxUses", { maxUses: 1.5 }, "must be an integer of at least 1, got 1.5"],
  [
    "freshnessWindow",
    { freshnessWindow: -1 },
    "must be a finite duration of at least 0, such as \"1 second\" or 0, got -1"
  ],
  [
    "freshnessWindow",
    { freshnessWindow: NaN },
    "must be a finite duration of at least 0, such as \"1 second\" or 0, got NaN"
  ],
  [
    "freshnessWindow",
    { freshnessWindow: {} },
    "must be a finite duration of at least 0, such as \"1 second\" or 0, got an object"
  ],
  ["pendingLimit", { pendingLimit: -1 }, "must be an integer of at least 0, got -1"],
  ["pendingLimit", { pendingLimit: Infinity }, "must be an integer of at least 0, got Infinity"],
  ["connectRate", { connectRate: 0 }, "must be a finite number greater than 0, got 0"],
  ["connectRate", { connectRate: Infinity }, "must be a finite number greater than 0, got Infinity"],
  ["connectRate", { connectRate: NaN }, "must be a finite number greater than 0, got NaN"],
  ["retry", { retry: 3 }, "must be a Schedule, got 3"],
  ["retry", { retry: { times: 3 } }, "must be a Schedule, got an object"],
  ["breaker", { breaker: 5 }, "must be an object, got 5"],
  ["breaker", { breaker: null }, "must be an object, got null"],
  ["breaker", { breaker: [] }, "must be an object, got an array"],
  ["breaker.threshold", { breaker: { threshold: 1 } }, "is not an option of a pool"],
  ["breaker.failureRate", { breaker: { failureRate: 0 } }, `${fraction}, got 0`],
  ["breaker.failureRate", { breaker: { failureRate: 1.01 } }, `${fraction}, got 1.01`],
  ["breaker.failureRate", { breaker: { failureRate: NaN } }, `${fraction}, got NaN`],
  ["breaker.minimumDials", { breaker: { minimumDials: 0 } }, "must be an integer of at least 1, got 0"],
  ["breaker.openDuration", { breaker: { openDuration: "soon" } }, `${duration}, got "soon"`],
  [
    "healthCheck",
    { healthCheck: 0 },
    "must be a finite duration greater than 0, such as \"30 seconds\", or a Schedule, got 0"
  ],
  ["startup", { startup: "eager" }, "must be \"failFast\" or \"lazy\", got \"eager\""],
  ["eventBuffer", { eventBuffer: 0 }, "must be an integer from 1 to 1000000, got 0"],
  [
    "thresholds",
    { thresholds: "loud" },
    "must be \"calm\", \"strict\" or an object with utilization, queue, wait, errorRate"
  ],
  [
    "thresholds.utilization",
    { thresholds: { utilization: 101 } },
    "must be a number (percent) above 0 and at most 100"
  ],
  ["thresholds.queue", { thresholds: { queue: -1 } }, "must be an integer of at least 0, or \"limit\""],
  ["thresholds.wait", { thresholds: { wait: "Infinity" } }, "must be a finite duration greater than 0"],
  ["thresholds.errorRate", { thresholds: { errorRate: 5 } }, "must be a number from 0 to 1"],
  ["thresholds.errors", { thresholds: { errors: 5 } }, "is none of utilization, queue, wait, errorRate"],
  ["eventBuffer", { eventBuffer: 1e9 }, "must be an integer from 1 to 1000000, got 1000000000"],
  ["metrics", { metrics: "true" }, "must be true or false, got \"true\""],
  ["unref", { unref: 1 }, "must be true or false, got 1"],
  ["name", { name: "" }, "must be a text of 1 to 200 characters without control characters, got \"\""],
  ["name", { name: "a\nb" }, "must be a text of 1 to 200 characters without control characters, got \"a\\nb\""],
  ["name", { name: 5 }, "must be a text of 1 to 200 characters without control characters, got 5"],
  ["max", { max: 5 }, "is not an option of a pool (did you mean \"maxConnections\"?)"],
  ["maxWaitingClients", { maxWaitingClients: 5 }, "is not an option of a pool (did you mean \"pendingLimit\"?)"],
  ["maxConnection", { maxConnection: 5 }, "is not an option of a pool (did you mean \"maxConnections\"?)"],
  [
    "breaker.failurerate",
    { breaker: { failurerate: 1 } },
    "is not an option of a pool (did you mean \"failureRate\"?)"
  ],
  ["options", null, "must be an object, got null"],
  ["options", 5, "must be an object, got 5"],
  ["options", [], "must be an object, got an array"],
  // Options beside one another
  ["minConnections", { minConnections: 6, maxConnections: 5 }, "must not exceed maxConnections (5), got 6"],
  ["sizing.mode", { sizing: { mode: "on" } }, "must be \"off\" or \"advise\" or \"apply\", got \"on\""],
  ["sizing.min", { sizing: { mode: "apply", min: 0 } }, `${connections(1)}, got 0`],
  ["sizing.most", { sizing: { mode: "apply", most: 5 } }, "is not an option of a pool (did you mean \"mode\"?)"],
  ["sizing.max", { sizing: { max: 5 } }, "has no effect without sizing.mode, give \"advise\" or \"apply\""],
  ["sizing.min", { sizing: { mode: "apply", min: 6, max: 5 } }, "must not exceed sizing.max (5), got 6"],
  ["sizing.min", { sizing: { mode: "apply", min: 6, start: 5 } }, "must not exceed sizing.start (5), got 6"],
  ["sizing.start", { sizing: { mode: "apply", start: 6, max: 5 } }, "must not exceed sizing.max (5), got 6"],
  [
    "sizing.max",
    { maxConnections: 5, sizing: { mode: "advise", max: 6 } },
    "must not exceed maxConnections (5), got 6"
  ],
  [
    "sizing.min",
    { minConnections: 3, sizing: { mode: "apply", min: 2 } },
    "must not be less than minConnections (3), got 2"
  ],
  [
    "validateTimeout",
    { validateTimeout: "3 seconds", acquireTimeout: 2000 },
    "must not exceed acquireTimeout (2000), got \"3 seconds\""
  ],
  [
    "validateTimeout",
    { validateTimeout: "31 seconds" },
    "must not exceed acquireTimeout (30000 ms by default), got \"31 seconds\""
  ],
  [
    "slowAcquireTimeout",
    { slowAcquireTimeout: "30 seconds" },
    "must be less than acquireTimeout (30000 ms by default), got \"30 seconds\""
  ],
  [
    "idleTimeout",
    { idleTimeout: "2 hours", maxLifetime: Duration.hours(1) },
    "must not exceed maxLifetime (1h), got \"2 hours\""
  ],
  [
    "leakTimeout",
    { leakTimeout: "1 minute", reclaimTimeout: 60_000 },
    "must be less than reclaimTimeout (60000), got \"1 minute\""
  ],
  [
    "startupTimeout",
    { startupTimeout: "1 second", startup: "lazy" },
    "has no effect when startup is \"lazy\", leave one of them out"
  ],
  [
    "startupTimeout",
    { startupTimeout: "1 second", minConnections: 0 },
    "has no effect when minConnections is 0, leave one of them out"
  ]
]

describe("PoolConfig.make refuses", () => {
  it.effect.each(bad)("%s given as %o", ([option, options, rule]) =>
    Effect.gen(function*() {
      const reason = yield* refusal(options)
      assert.deepStrictEqual({ option: reason.option, rule: reason.rule }, { option, rule })
    }))

  it.effect("an empty name that comes from elsewhere", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(PoolConfig.make(db, "", {}))
      assert.strictEqual(
        error.message,
        ": option name: must be a text of 1 to 200 characters without control characters, got \"\""
      )
    }))

  it.effect("long values in few characters", () =>
    Effect.gen(function*() {
      const { rule } = yield* refusal({ startup: "x".repeat(1000) })
      assert.strictEqual(rule, `must be "failFast" or "lazy", got "${"x".repeat(58)}…`)
    }))

  it.effect("an unknown option without showing its value", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(make({ password: "hunter2", maxConnections: NaN }))
      assert.strictEqual(error.message, "app/Db: option password: is not an option of a pool")
    }))
})

describe("PoolConfig.make completes", () => {
  it.effect.each(
    [
      [db, 2, 20, 5, 60, 30],
      [redis, 2, 15, 5, 45, 30],
      [http, 1, 10, 2, 30, 60],
      [websocket, 1, 5, 10, 120, 15],
      [PoolKind.service, 1, 8, 3, 20, 45]
    ] as const
  )("a pool of kind %o with its defaults", ([kind, min, max, idle, lifetime, healthCheck]) =>
    Effect.gen(function*() {
      const { healthCheck: schedule, retry, ...config } = yield* PoolConfig.make(kind, "app/Db", {})
      assert.deepStrictEqual(config, {
        kind: kind.name,
        isDatabase: kind.isDatabase === true,
        name: "app/Db",
        minConnections: min,
        maxConnections: max,
        acquireTimeout: 30_000,
        connectTimeout: 10_000,
        validateTimeout: 1_000,
        resetTimeout: 1_000,
        closeTimeout: 5_000,
        drainTimeout: 10_000,
        idleTimeout: idle * 60_000,
        maxLifetime: lifetime * 60_000,
        maxLifetimeJitter: 0.1,
        maxUses: Infinity,
        freshnessWindow: 1_000,
        pendingLimit: 1_000,
        connectRate: 50,
        breaker: { failureRate: 0.5, minimumDials: 10, openDuration: 5_000 },
        leakTimeout: 60_000,
        reclaimTimeout: Infinity,
        slowAcquireTimeout: 1_000,
        startup: "failFast",
        startupTimeout: 10_000,
        eventBuffer: 1_024,
        unref: false,
        metrics: true,
        traffic: {
          slack: { high: 0, normal: 1_000, low: 5_000 },
          share: { high: 1, normal: 1, low: 1 },
          places: { high: 1.1, normal: 1, low: 0.5 },
          weights: {},
          maxShare: 1,
          shedAfter: Infinity,
          degradation: "manual",
          degradedWait: 1_000,
          retryBudget: Infinity,
          affinity: false
        },
        sizing: { mode: "off", min, max, start: max },
        thresholds: undefined
      })
      assert.deepStrictEqual(yield* delays(schedule, 2), [healthCheck * 1000, healthCheck * 1000])
      const [first = 0, second = 0, ...others] = yield* delays(retry, 3)
      assert.isTrue(first >= 800 && first <= 1200 && second >= 1600 && second <= 2400, `${first}, ${second}`)
      assert.deepStrictEqual(others, [])
    }))

  it.effect("every option that is given, in milliseconds", () =>
    Effect.gen(function*() {
      const retry = Schedule.recurs(1)
      const healthCheck = Schedule.fixed("1 second")
      assert.deepStrictEqual(
        yield* PoolConfig.make(db, "app/Db", {
          name: "primary",
          minConnections: 3,
          maxConnections: 4,
          acquireTimeout: "2 seconds",
          connectTimeout: Duration.seconds(3),
          validateTimeout: 4,
          resetTimeout: 5n,
          closeTimeout: [6, 500_000_000],
          drainTimeout: { seconds: 7, milliseconds: 1 },
          idleTimeout: "8 minutes",
          maxLifetime: "9 minutes",
          maxLifetimeJitter: 0,
          maxUses: 11,
          freshnessWindow: 0,
          pendingLimit: 0,
          connectRate: 0.5,
          retry,
          breaker: { failureRate: 1, minimumDials: 1, openDuration: "12 seconds" },
          healthCheck,
          leakTimeout: "13 seconds",
          reclaimTimeout: "14 seconds",
          slowAcquireTimeout: "1 second",
          startup: "failFast",
          startupTimeout: "15 seconds",
          eventBuffer: 16,
          unref: true,
          metrics: false,
          traffic: {
            slack: { normal: "2 seconds" },
            share: { low: 0.25 },
            places: { high: 1.5, low: undefined },
            weights: { gold: 2 },
            maxShare: 0.4,
            shedAfter: "20 millis",
            degradation: "auto",
            degradedWait: "2 seconds",
            retryBudget: 0.1,
            affinity: true
          },
          sizing: { mode: "apply", min: 3, max: 4, start: 4 },
          thresholds: { utilization: 75, wait: "2 seconds" }
        }),
        {
          kind: "db",
          isDatabase: true,
          name: "primary",
          minConnections: 3,
          maxConnections: 4,
          acquireTimeout: 2_000,
          connectTimeout: 3_000,
          validateTimeout: 4,
          resetTimeout: 0.000005,
          closeTimeout: 6_500,
          drainTimeout: 7_001,
          idleTimeout: 480_000,
          maxLifetime: 540_000,
          maxLifetimeJitter: 0,
          maxUses: 11,
          freshnessWindow: 0,
          pendingLimit: 0,
          connectRate: 0.5,
          retry,
          breaker: { failureRate: 1, minimumDials: 1, openDuration: 12_000 },
          healthCheck,
          leakTimeout: 13_000,
          reclaimTimeout: 14_000,
          slowAcquireTimeout: 1_000,
          startup: "failFast",
          startupTimeout: 15_000,
          eventBuffer: 16,
          unref: true,
          metrics: false,
          traffic: {
            slack: { high: 0, normal: 2_000, low: 5_000 },
            share: { high: 1, normal: 1, low: 0.25 },
            places: { high: 1.5, normal: 1, low: 0.5 },
            weights: { gold: 2 },
            maxShare: 0.4,
            shedAfter: 20,
            degradation: "auto",
            degradedWait: 2_000,
            retryBudget: 0.1,
            affinity: true
          },
          sizing: { mode: "apply", min: 3, max: 4, start: 4 },
          thresholds: { utilization: 75, queue: "limit", wait: 2_000, errorRate: 0.05 }
        }
      )
    }))

  it.effect.each(
    [
      [{ maxConnections: 1 }, { minConnections: 1, maxConnections: 1 }],
      [{ minConnections: 30 }, { minConnections: 30, maxConnections: 30 }],
      [{ sizing: { mode: "apply", max: 40 } }, { minConnections: 2, maxConnections: 40 }],
      [{ sizing: { mode: "apply", min: 1 } }, { minConnections: 1, maxConnections: 20 }],
      [{ minConnections: 20 }, { minConnections: 20, maxConnections: 20 }],
      [{ maxLifetime: "1 minute" }, { idleTimeout: 60_000, maxLifetime: 60_000 }],
      [{ idleTimeout: "3 hours" }, { idleTimeout: 10_800_000, maxLifetime: 10_800_000 }],
      [{ acquireTimeout: 500 }, { acquireTimeout: 500, validateTimeout: 500, slowAcquireTimeout: 250 }],
      [{ acquireTimeout: 500 }, { connectTimeout: 10_000 }],
      [{ reclaimTimeout: "1 minute" }, { leakTimeout: 30_000, reclaimTimeout: 60_000 }],
      [{ reclaimTimeout: "2 minutes" }, { leakTimeout: 60_000, reclaimTimeout: 120_000 }]
    ] as const
  )("%o without a contradiction, since defaults give way", ([options, expected]) =>
    Effect.gen(function*() {
      assert.include({ ...yield* PoolConfig.make(db, "app/Db", options) }, expected)
    }))

  it.effect("options given as undefined like options left out", () =>
    Effect.gen(function*() {
      const options = { maxConnections: undefined, breaker: undefined, retry: undefined, name: undefined }
      assert.deepStrictEqual(yield* make(options), yield* make({}))
      assert.deepStrictEqual(yield* make({ breaker: { failureRate: undefined } }), yield* make({}))
    }))

  it.effect("a copy that neither shares nor changes what it was given", () =>
    Effect.gen(function*() {
      const breaker = { minimumDials: 5 }
      const options = { maxConnections: 7, breaker, drainTimeout: { seconds: 1 } }
      const before = structuredClone(options)
      const config = yield* PoolConfig.make(db, "app/Db", options)
      assert.deepStrictEqual(options, before)
      options.maxConnections = 8
      options.drainTimeout.seconds = 2
      breaker.minimumDials = 6
      assert.strictEqual(config.maxConnections, 7)
      assert.strictEqual(config.drainTimeout, 1000)
      assert.strictEqual(config.breaker.minimumDials, 5)
      assert.isTrue(Object.isFrozen(config) && Object.isFrozen(config.breaker))
    }))

  it.effect("frozen options, and options without a prototype", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* make(Object.freeze({ maxConnections: 7 }))).maxConnections, 7)
      const bare: unknown = Object.assign(Object.create(null), { maxConnections: 7 })
      assert.strictEqual((yield* make(bare)).maxConnections, 7)
    }))
})

describe("PoolConfig.defaults and presets", () => {
  it.effect("every preset suits every kind of pool", () =>
    Effect.gen(function*() {
      for (const kind of kinds) {
        for (const preset of Object.values(PoolConfig.presets)) {
          const config = yield* PoolConfig.make(kind, "app/Db", preset)
          assert.strictEqual(config.maxConnections, preset.maxConnections)
        }
      }
    }))

  it("every preset has a name and a description for people to choose by", () => {
    const { presets, presetTexts } = PoolConfig
    assert.deepStrictEqual(Object.keys(presetTexts), Object.keys(presets))
    for (const { description, name } of Object.values(presetTexts)) {
      assert.match(name, /^[A-Z][a-z ]+$/)
      assert.isAbove(description.length, 20)
    }
    assert.throws(() => Object.assign(presetTexts.production, { name: "mine" }), TypeError)
  })

  it.effect("the defaults of a kind are what its pools are made with", () =>
    Effect.gen(function*() {
      for (const kind of kinds) {
        const config = yield* PoolConfig.make(kind, "app/Db", {})
        const isDatabase = kind.isDatabase === true
        assert.deepStrictEqual(config, {
          ...PoolConfig.defaultsOf(kind),
          kind: kind.name,
          isDatabase,
          name: "app/Db"
        })
      }
    }))

  it("nobody can change them for others", () => {
    assert.throws(() => Object.assign(PoolConfig.presets.production, { maxConnections: 1 }), TypeError)
    assert.throws(() => Object.assign(PoolConfig.defaultsOf(db), { maxConnections: 1 }), TypeError)
    assert.throws(() => Object.assign(PoolConfig.defaultsOf(db).breaker, { minimumDials: 1 }), TypeError)
    assert.throws(() => Object.assign(PoolKind.service, { isDatabase: true }), TypeError)
  })

  it.effect("a kind nobody knows has a name for its metrics, and its own defaults over those of any service", () =>
    Effect.gen(function*() {
      const mail: PoolKind.PoolKind = { name: "mail", defaults: { maxConnections: 4, idleTimeout: "1 minute" } }
      const { drainTimeout, idleTimeout, isDatabase, kind, maxConnections } = yield* make({ drainTimeout: 1 }, mail)
      assert.deepStrictEqual({ drainTimeout, idleTimeout, isDatabase, kind, maxConnections }, {
        drainTimeout: 1,
        idleTimeout: 60_000,
        isDatabase: false,
        kind: "mail",
        maxConnections: 4
      })
    }))

  it.effect("a kind's own rate of dials holds whatever the number of connections", () =>
    Effect.gen(function*() {
      const slow: PoolKind.PoolKind = { name: "slow", defaults: { connectRate: 2 } }
      assert.strictEqual((yield* make({ maxConnections: 100 }, slow)).connectRate, 2)
      assert.strictEqual((yield* make({ maxConnections: 100, connectRate: 3 }, slow)).connectRate, 3)
      assert.strictEqual((yield* make({ maxConnections: 60 })).connectRate, 150)
    }))

  it.effect.each(
    [
      [{ name: "My Kind" }, "kind.name"],
      [{ name: "" }, "kind.name"],
      [{} as PoolKind.PoolKind, "kind.name"],
      ["db" as never, "kind"],
      [null as never, "kind"],
      [{ name: "mail", defaults: { maxConnections: 0 } }, "kind.defaults.maxConnections"],
      [{ name: "mail", defaults: { maxConections: 1 } }, "kind.defaults.maxConections"]
    ] as ReadonlyArray<[PoolKind.PoolKind, string]>
  )("a bad kind %o is refused by the name of what is bad: %s", ([kind, option]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(make({}, kind))
      assert(error.reason._tag === "InvalidOption")
      assert.strictEqual(error.reason.option, option)
    }))
})

describe("PoolConfig.optionsOf", () => {
  it("tells every option with its rule, its default and what happens when it is too small or too large", () => {
    const options = PoolConfig.optionsOf(db)
    const names = options.map(({ name }) => name)
    const all = ["name", ...Object.keys(PoolConfig.defaultsOf(db))]
    assert.deepStrictEqual(names.filter((name) => !name.includes(".")).toSorted(), all.toSorted())
    assert.includeMembers(names, ["breaker.failureRate", "traffic.slack", "traffic.shedAfter"])
    for (const option of options) {
      assert.match(option.does, /[.]$/, option.name)
      const hasOthers = names.some((name) => name.startsWith(`${option.name}.`))
      if (!hasOthers) assert.isDefined(option.default ?? option.defaults, `${option.name} has a default`)
      if (option.unit === undefined || option.unit === "leases") continue
      assert.isDefined(option.tooSmall, option.name)
      assert.isDefined(option.tooLarge, option.name)
    }
  })

  it("tells the defaults of the kind", () => {
    const kind: PoolKind.PoolKind = { name: "mail", defaults: { maxConnections: 4, healthCheck: "90 seconds" } }
    const shown = Object.fromEntries(PoolConfig.optionsOf(kind).map((option) => [option.name, option.default]))
    assert.deepInclude(shown, {
      maxConnections: "4",
      healthCheck: "90 s",
      acquireTimeout: "30 s",
      idleTimeout: "3 min",
      startup: "\"failFast\"",
      "breaker.openDuration": "5 s",
      reclaimTimeout: undefined
    })
    assert.strictEqual(
      PoolConfig.optionsOf(PoolKind.service).find(({ name }) => name === "healthCheck")?.default,
      "45 s"
    )
  })
})

describe("PoolConfig.fromEnv", () => {
  const read = (env: Record<string, string>) => PoolConfig.fromEnv.parse(ConfigProvider.fromEnvRecord(env))

  it.effect("reads every variable", () =>
    Effect.gen(function*() {
      const options = yield* read({
        POOL_MIN_CONNECTIONS: "0",
        POOL_MAX_CONNECTIONS: "30",
        POOL_IDLE_TIMEOUT_MS: "60000",
        POOL_CONNECTION_TIMEOUT_MS: "1500.5",
        POOL_ACQUIRE_TIMEOUT_MS: "2000",
        POOL_HEALTH_CHECK_INTERVAL_MS: "5000",
        POOL_ENABLE_METRICS: "false",
        POOL_SIZING: "advise"
      })
      assert.deepStrictEqual(options, {
        minConnections: 0,
        maxConnections: 30,
        idleTimeout: 60_000,
        connectTimeout: 1500.5,
        acquireTimeout: 2000,
        healthCheck: 5000,
        metrics: false,
        sizing: { mode: "advise" }
      })
      assert.strictEqual((yield* PoolConfig.make(db, "app/Db", options)).connectTimeout, 1500.5)
    }))

  it.effect("leaves out what is absent, so that it can be spread over a preset", () =>
    Effect.gen(function*() {
      const options = yield* read({ POOL_MIN_CONNECTIONS: "3" })
      assert.deepStrictEqual({ ...PoolConfig.presets.production, ...options }, {
        ...PoolConfig.presets.production,
        minConnections: 3
      })
    }))

  it.effect("can be nested under a prefix", () =>
    Effect.gen(function*() {
      const provider = ConfigProvider.fromEnvRecord({ PRIMARY_POOL_MAX_CONNECTIONS: "7" })
      assert.deepStrictEqual(yield* PoolConfig.fromEnv.pipe(Config.nested("PRIMARY")).parse(provider), {
        maxConnections: 7
      })
    }))

  it.effect.each(
    [
      ["POOL_MIN_CONNECTIONS", "-1"],
      ["POOL_MIN_CONNECTIONS", "two"],
      ["POOL_MAX_CONNECTIONS", "0"],
      ["POOL_MAX_CONNECTIONS", "2.5"],
      ["POOL_IDLE_TIMEOUT_MS", "0"],
      ["POOL_CONNECTION_TIMEOUT_MS", "Infinity"],
      ["POOL_ACQUIRE_TIMEOUT_MS", "5 seconds"],
      ["POOL_HEALTH_CHECK_INTERVAL_MS", "NaN"],
      ["POOL_ENABLE_METRICS", "maybe"],
      ["POOL_SIZING", "on"]
    ] as const
  )("names %s when it is %s", ([name, value]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(read({ [name]: value }))
      assert.include(error.message, `at ["${name}"]`)
    }))
})

/** The delays of a schedule in milliseconds, at most `count`. */
const delays = (schedule: Schedule.Schedule<unknown, unknown>, count: number) =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    const found: Array<number> = []
    while (found.length < count) {
      const next = yield* Effect.option(step(0, undefined))
      if (next._tag === "None") break
      found.push(Duration.toMillis(next.value[1]))
    }
    return found
  })
