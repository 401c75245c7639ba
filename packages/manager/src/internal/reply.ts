/**
 * Answers of the monitoring routes, with the headers that keep a browser from being used against them.
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Failure } from "../MonitoringApi.ts"
import { oneLine } from "./text.ts"

type Response = HttpServerResponse.HttpServerResponse

export const securityHeaders: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; ")
}

export const uncached: Readonly<Record<string, string>> = { ...securityHeaders, "cache-control": "no-store" }

export const json = (body: unknown, status = 200): Response =>
  HttpServerResponse.jsonUnsafe(body, { status, headers: uncached })

const statuses: Readonly<Record<Failure["error"], number>> = {
  "unauthorized": 401,
  "forbidden": 403,
  "not-found": 404,
  "method-not-allowed": 405,
  "too-many-attempts": 429,
  "bad-request": 400,
  "conflict": 409,
  "body-too-large": 413,
  "too-many-streams": 503
}

export const failureBody = (error: Failure["error"], message: string): Failure => ({ error, message: oneLine(message) })

export const failure = (error: Failure["error"], message: string): Response => {
  const response = json(failureBody(error, message), statuses[error])
  return error === "unauthorized" ? HttpServerResponse.setHeader(response, "www-authenticate", "Bearer") : response
}
