/**
 * The variables that name a PgBouncer.
 */
import * as Config from "effect/Config"
import * as Redacted from "effect/Redacted"
import type { PoolerMode } from "./model.ts"

const modes: ReadonlyArray<PoolerMode> = ["transaction", "session"]

export const pooler = Config.all({
  host: Config.String("PGBOUNCER_HOST").pipe(Config.withDefault(undefined)),
  port: Config.Port("PGBOUNCER_PORT").pipe(Config.withDefault(undefined)),
  mode: Config.Literals(modes, "PGBOUNCER_POOL_MODE").pipe(Config.withDefault(undefined))
})

interface Server {
  readonly url?: Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
}

/** Options that lead to the PgBouncer, if any of its variables is there. */
export const behind = <Options extends Server>(options: Options, said: Config.Success<typeof pooler>): Options => {
  if (said.host === undefined && said.port === undefined && said.mode === undefined) return options
  const { host = options.host ?? "localhost", mode = "transaction", port = 6432 } = said
  const server = options.url === undefined ? { host, port } : { url: leading(options.url, host, port) }
  return { ...options, ...server, pooler: { mode } }
}

/** Leaves a text that is no URL as it is, for its reader to refuse. */
const leading = (url: Redacted.Redacted, host: string, port: number): Redacted.Redacted =>
  Redacted.make(
    Redacted.value(url).replace(
      /^([a-z]+:\/\/(?:[^@/?#]*@)?)([^/?#]*)/i,
      (_, start: string) => `${start}${host.includes(":") ? `[${host}]` : host}:${port}`
    )
  )
