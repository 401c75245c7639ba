import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { apportion, type Granted, settle } from "../../src/internal/budget/apportion.ts"

const member = (wants: number, has = 0, floor = 0) => ({ has, wants, floor })

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((all, each) => all + each, 0)

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

const members = Arbitrary.array(
  Arbitrary.schema(Schema.Struct({ has: upTo(30), wants: upTo(60), floor: upTo(4) })),
  { minLength: 1, maxLength: 12 }
)

describe("the shares of a budget", () => {
  it("give everybody what it wants while there is enough", () => {
    assert.deepStrictEqual(apportion(10, [member(3), member(5), member(0)]), [3, 5, 0])
  })

  it("give the least all they want, and the rest evenly to those that want more", () => {
    assert.deepStrictEqual(apportion(100, [member(10), member(60), member(70)]), [10, 45, 45])
  })

  it("leave a connection that can't be shared evenly where it is", () => {
    assert.deepStrictEqual(apportion(10, [member(9, 3), member(9, 3), member(9, 4)]), [3, 3, 4])
    assert.deepStrictEqual(apportion(10, [member(9, 3), member(9, 4), member(9, 3)]), [3, 4, 3])
  })

  it("keep a floor for each, also for one that wants nothing", () => {
    assert.deepStrictEqual(apportion(10, [member(50, 0, 1), member(0, 0, 2), member(0, 0, 2)]), [6, 2, 2])
  })

  it("share what there is where the floors are more than the budget", () => {
    assert.deepStrictEqual(apportion(5, [member(9, 0, 4), member(9, 0, 4), member(9, 0, 1)]), [2, 2, 1])
  })

  it("leave open what nobody else wants", () => {
    assert.deepStrictEqual(apportion(10, [member(1, 6), member(2, 0)]), [6, 2])
    assert.deepStrictEqual(apportion(10, [member(1, 6), member(7, 0)]), [3, 7])
  })

  it("grant what another gives up only when its sockets are closed", () => {
    const busy = { grant: 10, has: 10, wants: 10, floor: 1 }
    const asks = { grant: 0, has: 0, wants: 10, floor: 1 }
    assert.deepStrictEqual(settle(10, [busy, asks]), [5, 0])
    assert.deepStrictEqual(settle(10, [{ ...busy, grant: 5, has: 8 }, asks]), [5, 2])
    assert.deepStrictEqual(settle(10, [{ ...busy, grant: 5, has: 5 }, { ...asks, grant: 2, has: 2 }]), [5, 5])
  })

  it.effect.prop(
    "never exceed the budget, whatever is wanted, and keep each floor as far as there is enough",
    { total: upTo(80), members },
    ({ members, total }) =>
      Effect.sync(() => {
        const shares = apportion(total, members)
        assert.isAtMost(sum(shares), total)
        const floors = sum(members.map(({ floor }) => floor))
        if (floors > total) return
        shares.forEach((share, at) => assert.isAtLeast(share, members[at]!.floor))
        // Max-min: one that has less than it wants has at least as much as any other wants and has, but for one.
        const wanting = shares.filter((share, at) => share < members[at]!.wants)
        const lowest = Math.min(Infinity, ...wanting)
        shares.forEach((share, at) => {
          const { floor, wants } = members[at]!
          if (wanting.length > 0 && share > floor) assert.isAtMost(share, Math.min(lowest + 1, Math.max(wants, floor)))
        })
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect.prop(
    "are reached in a few steps, and sockets never exceed the budget on the way",
    { total: upTo(80), members },
    ({ members, total }) =>
      Effect.sync(() => {
        // Everybody begins with as many as there is room for, in whatever order.
        let left = total
        let all: ReadonlyArray<Granted> = members.map((each) => {
          const has = Math.min(left, each.has)
          left -= has
          return { ...each, has, grant: has }
        })
        const closeOne = (each: Granted): Granted => each.has > each.grant ? { ...each, has: each.has - 1 } : each
        const openAll = (each: Granted): Granted => ({
          ...each,
          has: Math.max(each.has, Math.min(each.grant, each.wants))
        })
        for (let step = 0; step < 40; step++) {
          const grants = settle(total, all)
          all = all.map((each, at) => ({ ...each, grant: grants[at]! }))
          assert.isAtMost(sum(all.map(({ grant, has }) => Math.max(grant, has))), total)
          all = all.map(openAll).map(closeOne)
          assert.isAtMost(sum(all.map(({ has }) => has)), total)
        }
        const grants = settle(total, all)
        assert.deepStrictEqual(grants, settle(total, all.map((each, at) => ({ ...each, grant: grants[at]! }))))
        assert.deepStrictEqual(grants, apportion(total, all))
        all.forEach(({ has }, at) => assert.isAtMost(has, grants[at]!))
      }),
    { arbitrary: { runs: 40 } }
  )
})
