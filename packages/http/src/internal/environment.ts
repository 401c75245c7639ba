/**
 * Options from the environment.
 */
import { InvalidOption } from "@effect-pools/core/PoolError"
import * as Effect from "effect/Effect"
import * as HttpConfig from "../HttpConfig.ts"

/** The options with the proxy that the environment names, if they ask for it. */
export const withProxy = <Options extends { readonly proxy?: HttpConfig.RequestOptions["proxy"] }>(
  options: Options
): Effect.Effect<Options, InvalidOption> =>
  options.proxy !== "environment"
    ? Effect.succeed(options)
    : Effect.mapBoth(HttpConfig.proxyFromEnv, {
      onFailure: () => new InvalidOption({ option: "proxy", rule: "can't be read from the environment" }),
      onSuccess: (proxy) => ({ ...options, proxy })
    })
