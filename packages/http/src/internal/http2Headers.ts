/**
 * The headers of a request as HTTP/2 has them.
 */
import type { OutgoingHttpHeaders } from "node:http2"
import { BadRequest } from "./faults.ts"
import type { Outgoing } from "./outgoing.ts"

/** The headers, or why they can't be sent. */
export const make = (outgoing: Outgoing, origin: string): OutgoingHttpHeaders | BadRequest => {
  const { body, headers: given, method, path } = outgoing
  const length = body === null ? 0 : outgoing.length
  if (!token.test(method)) return new BadRequest("the method of the request is none that HTTP allows")
  if (!printable.test(path)) return new BadRequest("the path of the request is none that HTTP allows")
  const headers: OutgoingHttpHeaders = { ":method": method, ":scheme": "https", ":path": path }
  for (const [name, value] of Object.entries(given)) {
    // Without a body there is nothing to wait with.
    if (name === "connection" || (name === "expect" && body === null)) continue
    const rule = ruleOf(name, value)
    if (rule !== undefined) return new BadRequest(`the header ${JSON.stringify(name)} ${rule}`)
    if (name === "host") headers[":authority"] = value
    else headers[name] = value
  }
  headers[":authority"] ??= origin.slice(origin.indexOf("//") + 2)
  const declared = given["content-length"]
  if (length === undefined) return headers
  if (declared !== undefined && Number(declared) !== length) {
    return new BadRequest(`the body of the request has ${length} bytes, and its content-length says ${declared}`)
  }
  if (length > 0 || takesBody.has(method)) headers["content-length"] = String(length)
  return headers
}

/** The only thing a request can expect: to be told that its body is wanted. */
const continues = "100-continue"

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i

const printable = /^[\x21-\xff]+$/

const text = /^[\t\x20-\x7e\x80-\xff]*$/

/** Headers that say how an HTTP/1 connection is used. */
const forbidden = new Set([
  "transfer-encoding",
  "keep-alive",
  "upgrade",
  "proxy-connection",
  "http2-settings"
])

/** A server expects a length with these methods even of no body. */
const takesBody = new Set(["POST", "PUT", "PATCH", "QUERY", "PROPFIND", "PROPPATCH"])

const ruleOf = (name: string, value: unknown): string | undefined => {
  if (!token.test(name)) return "is no name of a header"
  if (forbidden.has(name)) return "is the connection's own"
  if (typeof value !== "string" || !text.test(value)) return "must be a text of one line"
  if (name === "expect" && value.toLowerCase() !== continues) return "can only be 100-continue"
  if (name === "content-length" && !/^\d+$/.test(value)) return "must be a count of bytes"
  return undefined
}
