import { PostgresScript } from "@effect-pools/postgres"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { PrimaryDb, Users } from "../testing-a-service/Users.ts"

const register = (script: PostgresScript.Script) =>
  Users.use((users) => users.register("ada@example.com")).pipe(
    Effect.provide(Layer.provide(Users.layer, PrimaryDb.layerTest(script)))
  )

describe("Users.register", () => {
  it.effect("writes the user and the mail in one transaction", () =>
    Effect.gen(function*() {
      const script = PostgresScript.make([
        { statement: /^INSERT INTO users/, params: ["ada@example.com"], answer: [{ id: 7, email: "ada@example.com" }] },
        { statement: /^INSERT INTO outbox/, answer: [] }
      ])
      const user = yield* register(script)
      assert.deepStrictEqual(user, { id: 7, email: "ada@example.com" })
      assert.strictEqual(script.remaining(), 0)
      const texts = script.statements.map(({ text }) => text)
      assert.match(texts[0]!, /^BEGIN/)
      assert.strictEqual(texts.at(-1), "COMMIT")
      assert.strictEqual(new Set(script.statements.map(({ connection }) => connection)).size, 1)
    }))

  it.effect("tells that an email is taken, and rolls back", () =>
    Effect.gen(function*() {
      const script = PostgresScript.make([
        { statement: /^INSERT INTO users/, answer: PostgresScript.failure("23505", "users_email_key") }
      ])
      const error = yield* Effect.flip(register(script))
      assert.strictEqual(error._tag, "EmailTaken")
      assert.strictEqual(script.statements.at(-1)!.text, "ROLLBACK")
    }))
})
