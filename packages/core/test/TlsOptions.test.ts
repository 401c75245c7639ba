import * as TestCertificate from "@effect-pools/testing/TestCertificate"
import { SocketError } from "@effect-pools/core"
import * as TlsOptions from "@effect-pools/core/TlsOptions"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { generateKeyPairSync } from "node:crypto"
import type { ConnectionOptions } from "node:tls"
import { inspect } from "node:util"

const passphrase = "CANARY-PASSPHRASE"

const encrypted = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase },
  publicKeyEncoding: { type: "spki", format: "pem" }
}).privateKey

const { certificate: cert, key } = TestCertificate

describe("TlsOptions", () => {
  const unusable: Readonly<Record<string, ConnectionOptions>> = {
    "a wrong passphrase": { key: encrypted, passphrase: "wrong" },
    "a key that is none": { key: "nonsense", cert },
    "a store that is none": { pfx: Buffer.from("x") },
    "an unknown cipher": { ciphers: "NOPE" },
    "an unknown version": { minVersion: "TLSv9" as never },
    "versions that contradict each other": { minVersion: "TLSv1.3", secureProtocol: "TLSv1_2_method" },
    "a key of another certificate": { key: encrypted, passphrase, cert },
    "a certificate that is none": { cert: "nonsense" },
    "an unknown curve": { ecdhCurve: "nonsense" },
    "a server name that is no text": { servername: 5 as never },
    "protocols that are none": { ALPNProtocols: 5 as never }
  }
  for (const [what, options] of Object.entries(unusable)) {
    it(`${what} is refused before anything is dialed, and not shown`, () => {
      const checked = TlsOptions.check("tls", options)
      if (Result.isSuccess(checked)) return assert.fail("it was accepted")
      assert.strictEqual(checked.failure.option, "tls")
      assert.match(checked.failure.rule, /^can't be used by node:tls: ./)
      assert.notMatch(inspect(checked.failure), /"nonsense"|wrong$/)
    })
  }

  it("options that can be used are sealed: their secrets are in the context, and the rest stays", () => {
    const checkServerIdentity = () => undefined
    const given = { key: encrypted, passphrase, ca: cert, servername: "db", checkServerIdentity }
    const sealed = Result.getOrThrow(TlsOptions.seal("tls", given)) as ConnectionOptions
    assert.deepStrictEqual(Object.keys(sealed), ["servername", "checkServerIdentity", "secureContext"])
    const shown = inspect(sealed, { depth: 12, showHidden: true })
    assert.notInclude(shown, passphrase)
    assert.notInclude(shown, encrypted.split("\n")[2]!)
    assert.strictEqual(Result.getOrThrow(TlsOptions.seal("tls", true)), true)
    assert.isTrue(Result.isSuccess(TlsOptions.check("tls", { key, cert })))
  })

  it("have the server's name, unless they have one or it is an address", () => {
    assert.strictEqual(TlsOptions.withServerName({}, "a.example").servername, "a.example")
    assert.strictEqual(TlsOptions.withServerName({ servername: "b" }, "a.example").servername, "b")
    for (const host of ["127.0.0.1", "::1", ""]) {
      assert.isUndefined(TlsOptions.withServerName({}, host).servername)
    }
  })

  it("what is not verified is said", () => {
    const said = (options: boolean | ConnectionOptions | undefined) => TlsOptions.weakness("ssl", options)
    assert.match(said({ rejectUnauthorized: false })!, /not verified \(ssl.rejectUnauthorized is false\)/)
    assert.match(said({ checkServerIdentity: () => undefined })!, /ssl.checkServerIdentity/)
    for (const options of [undefined, true, false, {}, { rejectUnauthorized: true, ca: cert }]) {
      assert.isUndefined(said(options))
      assert.deepStrictEqual(TlsOptions.warnings("ssl", options), [])
    }
  })

  it("what OpenSSL can't read is permanent", () => assert.isTrue(SocketError.isPermanent("ERR_OSSL_BAD_DECRYPT")))
})
