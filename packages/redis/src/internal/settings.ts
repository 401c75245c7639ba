/**
 * The options of a Redis pool, checked and sorted: what the connector needs. Durations are in milliseconds.
 */
import type { HealthWarning } from "@effect-pools/core/PoolHealth"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { ConnectionOptions } from "node:tls"
import type { RedisOptions } from "../RedisConfig.ts"
import type { Defaults } from "./optionTable.ts"

export interface Address {
  readonly host: string
  readonly port: number
  /** The path of a socket of this machine, in place of host and port. */
  readonly path?: string
}

/** Where a server is, by where it says that it is. */
export type AddressMap = ReadonlyMap<string, Address>

/** Something that was opened, and what closes it. */
export interface Opened<A> {
  readonly node: A
  readonly close: Effect.Effect<void>
}

/** The role of a server in a replicated set. */
export type Role = "primary" | "replica"

export type Topology =
  | { readonly _tag: "standalone"; readonly address: Address }
  | {
    readonly _tag: "cluster"
    readonly nodes: ReadonlyArray<Address>
    readonly maxRedirections: number
    readonly addressMap: AddressMap
  }
  | {
    readonly _tag: "sentinel"
    readonly nodes: ReadonlyArray<Address>
    readonly name: string
    readonly role: Role
    readonly username: string | undefined
    readonly password: Redacted.Redacted | undefined
    /** TLS of the sentinels themselves. */
    readonly tls: ConnectionOptions | undefined
    /** Milliseconds. */
    readonly checkInterval: number
    readonly addressMap: AddressMap
  }

export interface ConnectionSettings extends Omit<Defaults, "host" | "port" | "tls"> {
  readonly topology: Topology
  readonly username: string | undefined
  readonly password: RedisOptions["password"]
  /** Keys and certificates are in its `secureContext`, which shows nothing of them. */
  readonly tls: ConnectionOptions | undefined
  /** Warnings that follow from its options. */
  readonly warnings: ReadonlyArray<HealthWarning>
  readonly clientName: string
}

export const addressText = ({ host, path, port }: Address): string => {
  if (path !== undefined) return `unix:${path}`
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`
}

export const isSameAddress = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port

export const translated = (map: AddressMap, address: Address): Address => map.get(addressText(address)) ?? address
