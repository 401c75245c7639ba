import { assert, describe, it } from "@effect/vitest"
import { SqlError } from "effect/sql"
import { fromSqlError } from "../../src/internal/dialError.ts"

const props = (code: string | undefined, message: string) => ({
  cause: Object.assign(new Error(message), code === undefined ? {} : { code }),
  message: "PgConnection: Failed to connect"
})

const made = (reason: SqlError.SqlErrorReason, hasFreshCredentials = false) =>
  fromSqlError(new SqlError.SqlError({ reason }), { address: "db:5432", hasFreshCredentials })

const dialed = (code: string | undefined, message = "said") => made(new SqlError.ConnectionError(props(code, message)))

describe("the error of a dial", () => {
  it("may succeed later if the server or the network is in trouble", () => {
    const codes = ["53300", "57P03", "57P01", "08006", "XX000", "55000", "ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT"]
    for (const code of [...codes, undefined]) assert.isTrue(dialed(code).isRetryable, code)
  })

  it("can't succeed later if only the configuration can mend it", () => {
    const codes = ["3D000", "42704", "22023", "42501", "0A000", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID"]
    for (const code of [...codes, "DEPTH_ZERO_SELF_SIGNED_CERT", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]) {
      assert.isFalse(dialed(code).isRetryable, code)
    }
    assert.isFalse(dialed(undefined, "The server does not support TLS").isRetryable)
    const login = new SqlError.AuthenticationError(props("28P01", "no"))
    assert.isFalse(made(login).isRetryable)
    assert.isTrue(made(login, true).isRetryable)
  })

  it("says that the server is full, also in the words of a PgBouncer, which has one code for all its errors", () => {
    assert.strictEqual(dialed("53300", "sorry, too many clients already").refusal, "capacity")
    for (
      const said of [
        "no more connections allowed (max_client_conn)",
        "client connections exceeded (max_db_client_connections)",
        "client connections exceeded (max_user_client_connections)"
      ]
    ) assert.strictEqual(dialed("08P01", said).refusal, "capacity", said)
    assert.isUndefined(dialed("08P01", "server login has been failing, try again later (server_login_retry)").refusal)
  })

  it("says where to and what was answered", () => {
    const error = dialed("53300", "sorry, too many clients already")
    assert.strictEqual(error.code, "53300")
    assert.strictEqual(error.message, "db:5432: sorry, too many clients already")
    assert.strictEqual(dialed("ECONNREFUSED", "connect ECONNREFUSED db:5432").message, "db:5432: connect ECONNREFUSED")
    const props = { cause: new Error("The server does not support TLS"), message: "PgConnection: Server refused TLS" }
    const refused = made(new SqlError.ConnectionError(props))
    assert.strictEqual(refused.message, `db:5432: ${props.message}: ${props.cause.message}`)
    const silent = made(new SqlError.ConnectionError({ ...props, cause: undefined }))
    assert.strictEqual(silent.message, `db:5432: ${props.message}`)
  })
})
