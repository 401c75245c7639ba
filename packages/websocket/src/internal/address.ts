/**
 * Reads the URL of a server, and says what of it may be shown.
 */
import * as ServerUrl from "@effect-pools/core/ServerUrl"
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"

/** Fails with the rule that it breaks, which never quotes it. */
export const parse = (url: string | Redacted.Redacted): Result.Result<URL, string> =>
  ServerUrl.parse(Redacted.isRedacted(url) ? Redacted.value(url) : url, ["ws:", "wss:"])

/** Scheme and host: the rest of a URL may be a secret. */
export const shown = (url: URL): string => `${url.protocol}//${url.host}`
