import { assert, describe, it } from "@effect/vitest"
import * as SocketError from "../src/SocketError.ts"

describe("SocketError", () => {
  it("has a code if it is a text", () => {
    assert.strictEqual(SocketError.codeOf(Object.assign(new Error("no"), { code: "ECONNRESET" })), "ECONNRESET")
    for (const error of [new Error("no"), { code: 7 }, null, undefined, "ECONNRESET"]) {
      assert.isUndefined(SocketError.codeOf(error))
    }
  })

  it("is permanent where certificates or TLS don't fit, and nowhere else", () => {
    const permanent = ["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN"]
    for (const code of [...permanent, "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TLS_CERT_ALTNAME_INVALID", "ERR_SSL_X"]) {
      assert.isTrue(SocketError.isPermanent(code), code)
    }
    for (const code of [undefined, "ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT"]) {
      assert.isFalse(SocketError.isPermanent(code), code)
    }
  })
})
