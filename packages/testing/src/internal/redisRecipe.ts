/**
 * The configurations of the processes: a server, a node of a cluster, a sentinel.
 */
import * as TestCertificate from "../TestCertificate.ts"
import type { Recipe } from "./redisInstance.ts"
import { host, quote, type Settings } from "./redisServer.ts"

/** It lives for a test: nothing is saved, and whoever waits for a failover does not wait long. */
const defaults: Settings = {
  bind: host,
  "protected-mode": false,
  save: "",
  appendonly: false,
  "repl-diskless-sync-delay": 0,
  "repl-ping-replica-period": 1
}

const clusterDefaults: Settings = {
  "cluster-enabled": true,
  "cluster-node-timeout": 1000,
  "cluster-replica-validity-factor": 0,
  "cluster-require-full-coverage": false
}

interface ServerOptions {
  readonly password?: string | undefined
  readonly tls?: boolean | undefined
  readonly settings?: Settings | undefined
}

export const server = ({ password, settings, tls = false }: ServerOptions): Recipe => ({
  password,
  isSentinel: false,
  ports: tls ? 2 : 1,
  tlsPort: ([, tlsPort]) => tls ? tlsPort : undefined,
  files: tls ? { "tls.crt": TestCertificate.certificate, "tls.key": TestCertificate.key } : {},
  lines: ([port = 0, tlsPort = 0]) => [
    ...toLines({ ...defaults, port, ...(tls ? tlsSettings(tlsPort) : {}), ...settings }),
    ...logins(password)
  ]
})

/** Its second port is the one that the nodes talk to each other on. */
export const clusterNode = ({ password, settings }: ServerOptions): Recipe => ({
  ...server({ password, settings }),
  ports: 2,
  lines: ([port = 0, busPort = 0]) => [
    ...toLines({ ...defaults, ...clusterDefaults, port, "cluster-port": busPort, ...settings }),
    ...logins(password)
  ]
})

interface Watched {
  readonly name: string
  readonly port: number
  readonly password: string | undefined
  /** How many sentinels must agree that the master is down. */
  readonly quorum: number
}

export const sentinel = (watched: Watched, password: string | undefined): Recipe => ({
  ...server({ password }),
  isSentinel: true,
  lines: ([port = 0]) => [
    ...toLines({ bind: host, port, "protected-mode": false }),
    ...(password === undefined ? [] : [`requirepass ${quote(password)}`, `sentinel sentinel-pass ${quote(password)}`]),
    `sentinel monitor ${watched.name} ${host} ${watched.port} ${watched.quorum}`,
    `sentinel down-after-milliseconds ${watched.name} 500`,
    `sentinel failover-timeout ${watched.name} 2000`,
    ...(watched.password === undefined ? [] : [`sentinel auth-pass ${watched.name} ${quote(watched.password)}`])
  ]
})

/** A master may become a replica, which then has to log in. */
const logins = (password: string | undefined): ReadonlyArray<string> =>
  password === undefined ? [] : [`requirepass ${quote(password)}`, `masterauth ${quote(password)}`]

const tlsSettings = (port: number): Settings => ({
  "tls-port": port,
  "tls-cert-file": "tls.crt",
  "tls-key-file": "tls.key",
  "tls-auth-clients": false
})

/** A value stands as it would in redis.conf. */
const toLines = (settings: Settings): ReadonlyArray<string> =>
  Object.entries(settings).map(([name, value]) => {
    if (typeof value === "boolean") return `${name} ${value ? "yes" : "no"}`
    return `${name} ${value === "" ? `""` : value}`
  })
