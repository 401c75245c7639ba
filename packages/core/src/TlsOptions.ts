/**
 * For authors of backend packages: options of `node:tls`, checked before anything is dialed with them.
 *
 * Options that Node can't use (a wrong passphrase, a key that is none, an unknown cipher) it throws in the middle of a
 * handshake, where nobody is there to catch it. So it is tried when the pool is made.
 *
 * It stands beside the core's index and not in it, since it needs Node.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { Duplex } from "node:stream"
import * as Tls from "node:tls"
import * as OptionRules from "./OptionRules.ts"
import type { InvalidOption } from "./PoolError.ts"
import type { HealthWarning } from "./PoolHealth.ts"
import * as ServerText from "./ServerText.ts"

/**
 * Refuses options that `node:tls` can't use. `true`, `false` and none at all can be used.
 *
 * @category operations
 * @since 0.1.0
 */
export const check = (
  option: string,
  options: boolean | Tls.ConnectionOptions | undefined
): Result.Result<void, InvalidOption> => Result.map(seal(option, options), () => undefined)

/**
 * The options without what is secret or large in them: keys, passphrase, certificates and authorities have gone into a
 * `secureContext`, which shows nothing of them to whoever prints it. Fails as `check` does.
 *
 * @category conversions
 * @since 0.1.0
 */
export const seal = <Options extends boolean | Tls.ConnectionOptions | undefined>(
  option: string,
  options: Options
): Result.Result<Options | Tls.ConnectionOptions, InvalidOption> => {
  if (typeof options !== "object") return Result.succeed(options)
  const sealed = Result.try(() => {
    const rest = Object.fromEntries(Object.entries(options).filter(([name]) => !consumed.has(name)))
    const secureContext = options.secureContext ?? Tls.createSecureContext(options)
    // The rest is looked at when a connection begins.
    Tls.connect({ ...rest, secureContext, socket: inert() }).on("error", () => {}).destroy()
    return { ...rest, secureContext } satisfies Tls.ConnectionOptions
  })
  return Result.isSuccess(sealed)
    ? Result.succeed(sealed.success)
    : OptionRules.refuse(option, `can't be used by node:tls: ${ServerText.messageOf(sealed.failure, "it threw")}`)
}

/** The options that a secure context is made from. */
const consumed: ReadonlySet<string> = new Set([
  "ca",
  "cert",
  "key",
  "passphrase",
  "pfx",
  "crl",
  "ciphers",
  "ecdhCurve",
  "dhparam",
  "sigalgs",
  "minVersion",
  "maxVersion",
  "secureProtocol",
  "secureOptions",
  "sessionIdContext",
  "sessionTimeout",
  "ticketKeys",
  "honorCipherOrder",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "clientCertEngine",
  "allowPartialTrustChain"
])

const inert = (): Duplex => new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })

/**
 * The options with the name of the server, which servers and proxies that serve several names need to be told (SNI). Node
 * tells only what it is given. One that is given stays, and an address is no name.
 *
 * @category operations
 * @since 0.1.0
 */
export const withServerName = (tls: Tls.ConnectionOptions, host: string): Tls.ConnectionOptions =>
  tls.servername !== undefined || host === "" || isIP(host) !== 0 ? tls : { ...tls, servername: host }

/**
 * The part of the server that the options leave unverified, in one sentence; `undefined` if nothing.
 *
 * @category guards
 * @since 0.1.0
 */
export const weakness = (option: string, options: boolean | Tls.ConnectionOptions | undefined): string | undefined => {
  if (typeof options !== "object") return undefined
  if (options.rejectUnauthorized === false) {
    return `the server's certificate is not verified (${option}.rejectUnauthorized is false): anybody in between can read ` +
      "and change everything"
  }
  return options.checkServerIdentity === undefined
    ? undefined
    : `whether the certificate is the server's is decided by ${option}.checkServerIdentity and not by Node`
}

/** The same as a warning for `Connector.warnings`. @category conversions @since 0.1.0 */
export const warnings = (
  option: string,
  options: boolean | Tls.ConnectionOptions | undefined
): ReadonlyArray<HealthWarning> => {
  const message = weakness(option, options)
  return message === undefined ? [] : [{
    about: "verification",
    level: "warning",
    value: 1,
    message,
    remedy: `Give the authority that the server's certificate is from as ${option}.ca instead.`
  }]
}
