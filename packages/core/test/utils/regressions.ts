/**
 * Programs that once broke a rule, named after the behaviour they ask for. A property that is falsified prints its
 * shrunk program: it belongs in here.
 */
import type { Command, Program, Setting } from "./programs.ts"

const setting: Setting = {
  maxConnections: 4,
  minConnections: 0,
  pendingLimit: 100,
  freshnessWindow: 20,
  validates: true,
  resets: true,
  stubborn: false,
  sharers: 1
}

const advance = (by: 1 | 10 | 30 | 100 | 400): Command => ({ _tag: "Advance", by })
const lease = (hold: 0 | 7 | 45 | "long"): Command => ({ _tag: "Lease", how: "withConnection", hold, end: "ok" })
const share: Extract<Command, { _tag: "Lease" }> = { _tag: "Lease", how: "withShared", hold: "long", end: "ok" }
const behave = (
  step: "connect" | "validate" | "reset" | "close",
  behaviour: Extract<Command, { _tag: "Behave" }>["behaviour"]
): Command => ({ _tag: "Behave", step, behaviour })
const endFirst: Command = { _tag: "Finish", which: 0 }

const program = (commands: ReadonlyArray<Command>, changes: Partial<Setting> = {}): Program => ({
  setting: { ...setting, ...changes },
  commands
})

export const regressions: Readonly<Record<string, Program>> = {
  "a connection that is to be replaced is lent while those in its place end as soon as they are open": program([
    { _tag: "Resume" },
    { _tag: "Break", which: 0, isSilent: false },
    { _tag: "Break", which: 3, isSilent: false },
    { _tag: "RetireAll" },
    { _tag: "Lease", how: "withConnection", hold: 7, end: "die" }
  ], { maxConnections: 2, minConnections: 2, pendingLimit: 0, freshnessWindow: 0, sharers: 2 }),
  "a connection validated for its lease is lent however short the freshness window": program(
    [lease("long"), lease(7), advance(10), advance(100), lease(7), lease(7), advance(10)],
    { freshnessWindow: 0, maxConnections: 2, minConnections: 1 }
  ),
  "a fresh connection is lent although warmer ones have to be validated": program([
    ...Array.from({ length: 4 }, () => lease("long")),
    ...Array.from({ length: 4 }, () => [endFirst, advance(1)]).flat(),
    // The health check has proved the coldest and is at the next one.
    advance(100),
    advance(30),
    behave("validate", "slow"),
    advance(10),
    advance(10),
    advance(30),
    behave("validate", "never"),
    lease(0)
  ]),
  "a warm-up ends when the limit is lowered to what is open": program([
    { _tag: "WarmUp", count: 1 },
    behave("connect", "fail"),
    { _tag: "WarmUp", count: 3 },
    { _tag: "SetLimit", limit: 1 }
  ]),
  "a dial that can't be interrupted and ends after its close was given up leaves nothing open": program(
    [behave("connect", "slow"), lease(0), advance(10), { _tag: "Interrupt", which: 0 }, advance(400)],
    { stubborn: true }
  ),
  "a connection whose validation began before another broke is not lent on the strength of it": program([
    lease("long"),
    lease("long"),
    endFirst,
    endFirst,
    advance(30),
    behave("validate", "slow"),
    lease("long"),
    advance(10),
    { _tag: "Break", which: 0, isSilent: false },
    advance(30),
    advance(10)
  ]),
  "a drain is over as soon as its last waiter leaves": program([
    behave("connect", "never"),
    lease(0),
    { _tag: "Drain" },
    { _tag: "Interrupt", which: 0 }
  ]),
  "a pool that drains lends nothing to a newcomer, although those who wait may not be served yet": {
    setting: {
      maxConnections: 2,
      minConnections: 0,
      pendingLimit: 100,
      freshnessWindow: 20,
      validates: false,
      resets: false,
      stubborn: false,
      sharers: 3,
      traffic: { maxShare: 0.3, shareOfLow: 1, weightOfA: 1, degradation: "auto" }
    },
    commands: [
      { _tag: "Lease", how: "withConnection", hold: 45, end: "die", says: { priority: "low", fairKey: "a" } },
      { _tag: "RetireAll" },
      advance(10),
      { _tag: "Lease", how: "withShared", hold: "long", end: "ok", says: { priority: "low", fairKey: "a" } },
      { _tag: "Drain" },
      { _tag: "Lease", how: "withConnection", hold: 0, end: "die", says: { priority: "normal" } }
    ]
  },
  "a breaker that opens while the backend is well holds dials up for no longer than its time": program(
    [
      lease(0),
      behave("connect", "never"),
      lease(45),
      lease(7),
      advance(30),
      { _tag: "Retire", which: 0 },
      lease(7),
      advance(30),
      behave("connect", "ok"),
      advance(30),
      advance(30),
      lease(7),
      advance(100),
      advance(10)
    ],
    { maxConnections: 2, validates: false, resets: false }
  ),
  "whoever may share joins another connection when the one before it in line gets one of its own": program(
    [share, share, share, lease("long"), share, { _tag: "Interrupt", which: 0 }, endFirst],
    { maxConnections: 2, sharers: 2 }
  ),
  "a connection that was found broken and then tells its end itself casts doubt on the others once": program(
    [
      { ...share, hold: 0 },
      share,
      share,
      lease(0),
      { _tag: "Break", which: 0, isSilent: true },
      { _tag: "Interrupt", which: 0 },
      behave("close", "stuck"),
      { ...share, hold: 7 },
      share,
      share,
      share,
      { _tag: "Drain" },
      { _tag: "Break", which: 0, isSilent: false }
    ],
    { freshnessWindow: 0, maxConnections: 3, validates: false, resets: false, sharers: 3 }
  ),
  "a dial from before retireAll that succeeds after others have failed takes no old connection from who waits": program(
    [
      behave("connect", "slow"),
      lease(0),
      { _tag: "AllOk" },
      { _tag: "Lease", how: "acquire", hold: 0, end: "die" },
      { _tag: "RetireAll" },
      { _tag: "Lease", how: "withConnection", hold: 45, end: "die" },
      { _tag: "Lease", how: "acquire", hold: 45, end: "fail" },
      behave("connect", "defect"),
      { _tag: "Advance", by: 400 }
    ],
    {
      maxConnections: 2,
      minConnections: 1,
      pendingLimit: 2,
      freshnessWindow: 20,
      validates: false,
      resets: false,
      stubborn: true
    }
  )
}
