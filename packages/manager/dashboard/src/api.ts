/** Asks the server that the page came from. Addresses are relative: the page may be mounted below any prefix. */
import type * as Api from "../../src/MonitoringApi.ts"
import { token } from "./token.ts"

/** An answer that is not what was asked for. */
export class Refused extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export const authorization = (value: string | undefined = token.value): Record<string, string> =>
  value === undefined ? {} : { authorization: `Bearer ${value}` }

export const readPools = (): Promise<Api.Pools> => get("pools")
export const readAlerts = (): Promise<Api.Alerts> => get("alerts")
/** With one sample of each 20 s of the last hour as well, if it is to be long. */
export const readHistory = (isLong: boolean): Promise<Api.History> => get(isLong ? "history?range=long" : "history")
export const readConnections = (pool: string): Promise<Api.Connections> => get(`${pathOf(pool)}/connections`)

export const warmUp = (pool: string, count: number): Promise<Api.WarmedUp> =>
  ask(`${pathOf(pool)}/warm-up`, { method: "POST", body: JSON.stringify({ count }) })
export const drain = (pool: string): Promise<Api.Drained> => ask(`${pathOf(pool)}/drain`, { method: "POST" })
export const act = (pool: string, action: "pause" | "resume" | "retire-all"): Promise<Api.Done> =>
  ask(`${pathOf(pool)}/${action}`, { method: "POST" })
export const retire = (pool: string, connection: number): Promise<Api.Done> =>
  ask(`${pathOf(pool)}/connections/${connection}`, { method: "DELETE" })

/** Asks to retire what can't exist: the answer tells whether the token is right, and nothing happens. */
export const isToken = async (value: string, pool: string): Promise<boolean> => {
  const response = await fetch(`${pathOf(pool)}/connections/none`, {
    ...common,
    method: "DELETE",
    headers: authorization(value)
  })
  if (response.status === 429) throw new Refused(429, await messageOf(response))
  return response.status !== 401
}

const common: RequestInit = { cache: "no-store", credentials: "omit", redirect: "error" }

const pathOf = (pool: string): string => `pools/${encodeURIComponent(pool)}`

const get = <A>(path: string): Promise<A> => ask(path, { signal: AbortSignal.timeout(10_000) })

const ask = async <A>(path: string, init: RequestInit): Promise<A> => {
  const response = await fetch(path, { ...common, ...init, headers: authorization() })
  const body: unknown = await response.json().catch(() => undefined)
  // A long action is answered with 200 before it is known how it ends.
  if (response.ok && !isFailure(body)) return body as A
  throw new Refused(response.status, messageIn(body, response))
}

const isFailure = (body: unknown): body is Api.Failure =>
  typeof body === "object" && body !== null && "error" in body && "message" in body

const messageOf = async (response: Response): Promise<string> =>
  messageIn(await response.json().catch(() => undefined), response)

const messageIn = (body: unknown, { status }: Response): string =>
  isFailure(body) ? body.message : `the server answered ${status}`
