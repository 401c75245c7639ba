/**
 * Random programs against a pool: what a test tells the pool, its callers and its backend to do.
 */
import type { Traffic } from "@effect-pools/core"
import { Arbitrary, Schema } from "effect"

const behaviour = Schema.Literals(["ok", "fail", "slow", "slowFail", "never", "stuck", "defect", "interrupt"])
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))

/** The words of a caller. */
const Says = Schema.Struct({
  priority: Schema.Literals(["high", "normal", "low"]),
  fairKey: Schema.optionalKey(Schema.Literals(["a", "b", "c"])),
  deadline: Schema.optionalKey(Schema.Literals([0, 50, 150]))
})

const Lease = Schema.TaggedStruct("Lease", {
  how: Schema.Literals(["withConnection", "acquire", "withShared"]),
  /** For so many milliseconds, or until it is told to end. */
  hold: Schema.Literals([0, 7, 45, "long"]),
  end: Schema.Literals(["ok", "fail", "die"])
})
const Advance = Schema.TaggedStruct("Advance", { by: Schema.Literals([1, 10, 30, 100, 400]) })
const Behave = Schema.TaggedStruct("Behave", {
  step: Schema.Literals(["connect", "validate", "reset", "close"]),
  behaviour
})

/** Twice in the list is twice as often. */
const Command = Schema.Union([
  Lease,
  Lease,
  Lease,
  Lease,
  Lease,
  Advance,
  Advance,
  Advance,
  Schema.TaggedStruct("Finish", { which: small }),
  Schema.TaggedStruct("Finish", { which: small }),
  Schema.TaggedStruct("Interrupt", { which: small }),
  Behave,
  Behave,
  Schema.TaggedStruct("AllOk", {}),
  Schema.TaggedStruct("Break", { which: small, isSilent: Schema.Boolean }),
  Schema.TaggedStruct("Invalidate", { which: small }),
  Schema.TaggedStruct("Retire", { which: small }),
  Schema.TaggedStruct("RetireAll", {}),
  Schema.TaggedStruct("Pause", {}),
  Schema.TaggedStruct("Resume", {}),
  Schema.TaggedStruct("SetLimit", { limit: small }),
  Schema.TaggedStruct("WarmUp", { count: small }),
  Schema.TaggedStruct("StopWarmUps", {}),
  Schema.TaggedStruct("Drain", {})
])
export type Command =
  | Exclude<typeof Command.Type, typeof Lease.Type>
  | typeof Lease.Type & { readonly says?: typeof Says.Type }
  | { readonly _tag: "Degrade"; readonly level: Traffic.Level | "auto" }
  /** The size that the pool finds. */
  | { readonly _tag: "Size"; readonly size: number }
  /** The server says on an open connection that it is full. */
  | { readonly _tag: "Full" }
  /** The neighbour at the budget could use so many. */
  | { readonly _tag: "NeighbourWants"; readonly count: number }
  /** The neighbour opens what it is granted and wants, and closes what it was told to give up. */
  | { readonly _tag: "NeighbourMoves" }
  | { readonly _tag: "Clear"; readonly priority: Traffic.Priority | undefined }

const Setting = Schema.Struct({
  maxConnections: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
  minConnections: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
  pendingLimit: Schema.Literals([0, 2, 100]),
  freshnessWindow: Schema.Literals([0, 20]),
  validates: Schema.Boolean,
  resets: Schema.Boolean,
  stubborn: Schema.Boolean,
  /** How many callers may share a connection. */
  sharers: Schema.Literals([1, 2, 3]),
  joins: Schema.optionalKey(Schema.Literals(["idle", "busiest"]))
})
export type Setting = typeof Setting.Type & {
  /** Set for a pool whose callers say something of themselves. */
  readonly traffic?: TrafficSetting
  /** Whether it finds its size by itself. */
  readonly sizes?: boolean
  /** Set for a pool that shares a budget with a neighbour. */
  readonly budget?: BudgetSetting
}

const BudgetSetting = Schema.Struct({
  total: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })),
  floor: Schema.Literals([0, 1])
})
type BudgetSetting = typeof BudgetSetting.Type

const TrafficSetting = Schema.Struct({
  maxShare: Schema.Literals([0.3, 0.5, 1]),
  shareOfLow: Schema.Literals([0.5, 1]),
  weightOfA: Schema.Literals([1, 3]),
  shedAfter: Schema.optionalKey(Schema.Literals([10])),
  degradation: Schema.Literals(["auto", "manual"])
})
type TrafficSetting = typeof TrafficSetting.Type

export interface Program {
  readonly setting: Setting
  readonly commands: ReadonlyArray<Command>
}

/** Programs of up to so many commands. A drain ends most of what a pool can do, so it is left out of some. */
export const programs = (maxLength: number, drains: boolean): Arbitrary.Arbitrary<Program> =>
  Arbitrary.all({
    setting: Arbitrary.schema(Setting),
    commands: Arbitrary.array(Arbitrary.schema(Command), { maxLength }).pipe(
      Arbitrary.map((commands) => drains ? commands : commands.filter(({ _tag }) => _tag !== "Drain"))
    )
  })

/** Programs in which callers come in crowds and share few connections. */
export const sharingPrograms = (maxLength: number): Arbitrary.Arbitrary<Program> =>
  Arbitrary.map(programs(maxLength, true), ({ commands, setting }) => ({
    setting: {
      ...setting,
      maxConnections: Math.min(3, setting.maxConnections),
      sharers: setting.sharers === 3 ? 3 : 2
    },
    commands: commands.flatMap((command): ReadonlyArray<Command> => {
      if (command._tag !== "Lease" || command.how === "acquire") return [command]
      const sharer: Command = { ...command, how: "withShared" }
      return [sharer, { ...sharer, hold: "long" }, { ...sharer, hold: "long" }, command]
    })
  }))

/** Programs in which connections that callers share break, silently and loudly, under borrowers that leave. */
export const breakingPrograms = (maxLength: number): Arbitrary.Arbitrary<Program> =>
  Arbitrary.map(sharingPrograms(maxLength), ({ commands, setting }) => ({
    setting,
    commands: commands.map((command): Command => {
      switch (command._tag) {
        case "Pause":
        case "Resume":
        case "RetireAll":
          return { _tag: "Break", which: 0, isSilent: true }
        case "WarmUp":
          return { _tag: "Break", which: command.count, isSilent: true }
        case "SetLimit":
          return { _tag: "Break", which: command.limit, isSilent: false }
        case "Invalidate":
        case "Retire":
          return { _tag: "Interrupt", which: command.which }
        case "StopWarmUps":
          return { _tag: "Break", which: 0, isSilent: false }
        default:
          return command
      }
    })
  }))

/** Programs in which the limit moves: by hand, by the size that the pool finds, and because the server is full. */
export const sizingPrograms = (maxLength: number): Arbitrary.Arbitrary<Program> =>
  Arbitrary.map(programs(maxLength, true), ({ commands, setting }) => ({
    setting: { ...setting, sizes: true },
    commands: commands.flatMap((command): ReadonlyArray<Command> => {
      switch (command._tag) {
        case "Pause":
        case "Resume":
        case "RetireAll":
        case "StopWarmUps":
          return [{ _tag: "Full" }, command]
        case "WarmUp":
          return [{ _tag: "Size", size: command.count }, command]
        case "Finish":
          return [{ _tag: "Size", size: command.which }, command]
        case "Advance":
          // Longer than a server that is full is heeded.
          return command.by === 400 ? [command, { _tag: "Advance", by: 10 }] : [command]
        default:
          return [command]
      }
    })
  }))

/** Programs of a pool that shares a budget with a neighbour, which wants now more and now less and takes its time to give up. */
export const budgetPrograms = (maxLength: number): Arbitrary.Arbitrary<Program> =>
  Arbitrary.map(
    Arbitrary.all({
      program: sizingPrograms(maxLength),
      budget: Arbitrary.schema(BudgetSetting),
      sizes: Arbitrary.schema(Schema.Boolean)
    }),
    ({ budget, program: { commands, setting }, sizes }) => ({
      setting: { ...setting, sizes, budget },
      commands: commands.flatMap((command): ReadonlyArray<Command> => {
        switch (command._tag) {
          case "Size":
            return [{ _tag: "NeighbourWants", count: command.size }, { _tag: "NeighbourMoves" }, command]
          case "SetLimit":
            return [{ _tag: "NeighbourWants", count: 6 }, { _tag: "NeighbourMoves" }, command]
          case "Break":
            return [{ _tag: "NeighbourWants", count: 0 }, { _tag: "NeighbourMoves" }, command]
          case "Lease":
            // Where dials or closes are slow, the other takes what it may while they go on.
            return command.hold === 7 ? [command, { _tag: "NeighbourMoves" }] : [command]
          case "Advance":
            return command.by === 10
              ? [{ _tag: "NeighbourWants", count: 6 }, { _tag: "NeighbourMoves" }, command]
              : [command]
          case "Behave":
            // A dial and a close that take their time show whether these count.
            return [command.behaviour === "ok" ? { ...command, behaviour: "slow" } : command]
          default:
            return [command]
        }
      })
    })
  )

/** Programs whose callers have priorities, keys and deadlines, in pools with shares, shedding and levels of degradation. */
export const trafficPrograms = (maxLength: number): Arbitrary.Arbitrary<Program> =>
  Arbitrary.map(
    Arbitrary.all({
      program: programs(maxLength, true),
      says: Arbitrary.array(Arbitrary.schema(Says), { minLength: 1, maxLength }),
      traffic: Arbitrary.schema(TrafficSetting)
    }),
    ({ program: { commands, setting }, says, traffic }) => ({
      setting: { ...setting, traffic },
      commands: commands.map((command, index): Command => {
        const said = says[index % says.length]!
        switch (command._tag) {
          case "Lease":
            return { ...command, says: said }
          case "WarmUp":
            return { _tag: "Degrade", level: levels[command.count]! }
          case "StopWarmUps":
            return { _tag: "Clear", priority: said.fairKey === undefined ? undefined : said.priority }
          default:
            return command
        }
      })
    })
  )

const levels = [0, 1, 2, 3, 4, "auto"] as const
