import { FatalSqlState, PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit } from "effect"
import { SqlError } from "effect/sql"
import { Session } from "../src/internal/session.ts"

const nothing = {
  deadError: undefined,
  onRetire: undefined,
  observe: undefined,
  cancel: undefined,
  statements: undefined,
  socket: undefined
}

const session = (expectsPrimary: boolean) =>
  new Session({} as never, nothing, {
    address: "none",
    expectsPrimary,
    prepares: true,
    alwaysResets: false,
    isShareable: false,
    schema: { changes: 0 }
  })

/** A lease that ended with this error of the server; without `severity` as an old driver or pooler would give it. */
const ended = (code: string, severity?: string) => {
  const cause = Object.assign(new Error(code), { code, severityUnlocalized: severity })
  return Exit.fail(new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message: code }) }))
}

describe("FatalSqlState", () => {
  const codes = [...Object.keys(FatalSqlState.table), "08000", "08003", "08006", "08P01"]

  for (const code of codes) {
    const state = FatalSqlState.find(code)!
    it(`${code}: ${state.why}`, () => {
      assert.isNotEmpty(state.name)
      switch (state.because) {
        case "ended":
          assert.isTrue(session(false).isBroken(ended(code)))
          assert.isTrue(session(false).isBroken(ended(code, "FATAL")))
          // Raised about another connection, such as one of dblink.
          assert.isFalse(session(false).isBroken(ended(code, "ERROR")))
          return
        case "role": {
          assert.isTrue(session(true).isBroken(ended(code, "ERROR")))
          assert.isFalse(session(false).isBroken(ended(code, "ERROR")))
          const reader = session(true)
          reader.isReadOnly = true
          assert.isFalse(reader.isBroken(ended(code, "ERROR")))
        }
      }
    })
  }

  it("any error of severity FATAL or PANIC ends the session, whatever its code", () => {
    assert.isTrue(session(false).isBroken(ended("XX000", "FATAL")))
    assert.isTrue(session(false).isBroken(ended("XX000", "PANIC")))
  })

  it("errors that leave the session well do not", () => {
    for (const code of ["23505", "40001", "40P01", "42601", "57014", "22012", "25P02", "0A000", "XX000"]) {
      assert.isUndefined(FatalSqlState.find(code))
      assert.isFalse(session(true).isBroken(Exit.fail(PostgresScript.failure(code))))
    }
    assert.isFalse(session(true).isBroken(Exit.fail("not of the server")))
    assert.isFalse(session(true).isBroken(Exit.die(new Error("not of the server"))))
    assert.isFalse(session(true).isBroken(Exit.interrupt()))
    assert.isFalse(session(true).isBroken(Exit.void))
  })

  it("a fatal error is found as a defect, and beside other reasons", () => {
    const exit = ended("57P01", "FATAL")
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.isTrue(session(false).isBroken(Exit.die(error)))
    assert.isTrue(session(false).isBroken(Exit.failCause(Cause.combine(Cause.fail("other"), Cause.fail(error)))))
  })
})
