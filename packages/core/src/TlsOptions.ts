/**
 * For authors of backend packages: checks options of `node:tls` before a connection is made with them.
 *
 * What Node can't use, such as a key whose passphrase is wrong, it throws out of the handshake: at best each dial fails, at
 * worst nobody catches it and the process ends. So it is tried when the pool is made.
 *
 * It stands beside the core's index and not in it, since it needs Node.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { isIP } from "node:net"
import { type ConnectionOptions, createSecureContext } from "node:tls"
import { describeCause } from "./Describe.ts"
import type { InvalidOption } from "./PoolError.ts"
import { refuse } from "./OptionRules.ts"

/**
 * Refuses `option` if Node can't use its value: key, certificate, pfx, passphrase, authorities, ciphers and versions. `true`,
 * `false` and `undefined` are fine.
 *
 * @category operations
 * @since 0.1.0
 */
export const check = (
  option: string,
  tls: boolean | ConnectionOptions | undefined
): Result.Result<void, InvalidOption> => {
  if (typeof tls !== "object") return Result.succeed(undefined)
  return Result.match(Result.try(() => createSecureContext(tls)), {
    onSuccess: () => Result.succeed(undefined),
    onFailure: (cause) => refuse(option, `can't be used by node:tls: ${describeCause(cause)}`)
  })
}

/**
 * The options with the name of the server, which servers and proxies that serve several names need to be told (SNI). Node
 * tells only what it is given. One that is given stays, and an address is no name.
 *
 * @category operations
 * @since 0.1.0
 */
export const withServerName = (tls: ConnectionOptions, host: string): ConnectionOptions =>
  tls.servername !== undefined || host === "" || isIP(host) !== 0 ? tls : { ...tls, servername: host }
