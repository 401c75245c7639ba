/**
 * By which methods a pool proves who it is.
 */
import type { AuthMethod } from "../PostgresConfig.ts"

export const authMethods: ReadonlyArray<AuthMethod> = ["none", "password", "md5", "scram-sha-256"]

export const isAuthMethod = (method: string): method is AuthMethod =>
  (authMethods as ReadonlyArray<string>).includes(method)
