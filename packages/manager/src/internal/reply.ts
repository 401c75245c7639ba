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

const uncached = { ...securityHeaders, "cache-control": "no-store" }

export const json = (body: unknown, status = 200): Response =>
  HttpServerResponse.jsonUnsafe(body, { status, headers: uncached })

export const text = (body: string, contentType: string): Response =>
  HttpServerResponse.text(body, { contentType, headers: uncached })

const statuses: Readonly<Record<Failure["error"], number>> = {
  "unauthorized": 401,
  "forbidden": 403,
  "not-found": 404,
  "bad-request": 400,
  "conflict": 409,
  "body-too-large": 413,
  "too-many-streams": 503
}

export const failure = (error: Failure["error"], message: string): Response => {
  const body: Failure = { error, message: oneLine(message) }
  const response = json(body, statuses[error])
  return error === "unauthorized" ? HttpServerResponse.setHeader(response, "www-authenticate", "Bearer") : response
}
