import { SocketError } from "@effect-pools/core"
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import { TestCertificate } from "@effect-pools/testing"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { generateKeyPairSync } from "node:crypto"

const { certificate: cert, key } = TestCertificate

const encrypted = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "right" },
  publicKeyEncoding: { type: "spki", format: "pem" }
}).privateKey

describe("options of node:tls", () => {
  it("that Node can't use are refused by their name, and no secret is told", () => {
    const wrong = [
      { key: encrypted, passphrase: "wrong-canary" },
      { key: "canary" },
      { cert: "canary" },
      { key: encrypted, cert, passphrase: "right" },
      { pfx: Buffer.from("canary") },
      { ciphers: "canary" },
      { minVersion: "TLSv9" as never },
      { minVersion: "TLSv1.3" as const, secureProtocol: "TLSv1_2_method" },
      { ecdhCurve: "canary" }
    ]
    for (const tls of wrong) {
      const result = TlsOptions.check("ssl", tls)
      assert(Result.isFailure(result), Object.keys(tls).join())
      assert.strictEqual(result.failure.option, "ssl")
      assert.notInclude(JSON.stringify(result.failure), "wrong-canary")
    }
  })

  it("that Node can use are taken", () => {
    const right = [undefined, true, false, {}, { ca: cert }, { cert, key }, { key: encrypted, passphrase: "right" }]
    for (const tls of right) assert.isTrue(Result.isSuccess(TlsOptions.check("tls", tls)))
  })

  it("have the server's name, unless they have one or it is an address", () => {
    assert.strictEqual(TlsOptions.withServerName({}, "a.example").servername, "a.example")
    assert.strictEqual(TlsOptions.withServerName({ servername: "b" }, "a.example").servername, "b")
    for (const host of ["127.0.0.1", "::1", ""]) {
      assert.isUndefined(TlsOptions.withServerName({}, host).servername)
    }
  })

  it("whose error comes in a handshake are not tried again", () => {
    assert.isTrue(SocketError.isPermanent("ERR_OSSL_BAD_DECRYPT"))
  })
})
