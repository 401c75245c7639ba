/**
 * The headers of a request as HTTP/2 has them.
 */
import type { OutgoingHttpHeaders } from "node:http2"
import { BadRequest } from "./faults.ts"
import type { Outgoing } from "./outgoing.ts"

type Given = Outgoing["headers"]

/** Makes the headers of the requests on one connection. */
export class Http2Headers {
  private readonly authority: string
  /** Most requests have no headers of their own, and share those of the pool, which are looked at once. */
  private seen: Given | undefined = undefined
  private fields: OutgoingHttpHeaders = {}

  constructor(origin: string) {
    this.authority = origin.slice(origin.indexOf("//") + 2)
  }

  /** The headers, or why they can't be sent. */
  of(outgoing: Outgoing): OutgoingHttpHeaders | BadRequest {
    const { body, headers: given, method, path } = outgoing
    const length = body === null ? 0 : outgoing.length
    if (!token.test(method)) return new BadRequest("the method of the request is none that HTTP allows")
    if (!printable.test(path)) return new BadRequest("the path of the request is none that HTTP allows")
    const fields = body === null ? this.withoutBody(given) : this.fieldsOf(given, true)
    if (fields instanceof BadRequest) return fields
    const headers: OutgoingHttpHeaders = { ":method": method, ":scheme": "https", ":path": path, ...fields }
    const declared = given["content-length"]
    if (length === undefined) return headers
    if (declared !== undefined && Number(declared) !== length) {
      return new BadRequest(`the body of the request has ${length} bytes, and its content-length says ${declared}`)
    }
    if (length > 0 || takesBody.has(method)) headers["content-length"] = String(length)
    return headers
  }

  private withoutBody(given: Given): OutgoingHttpHeaders | BadRequest {
    if (given === this.seen) return this.fields
    const fields = this.fieldsOf(given, false)
    if (fields instanceof BadRequest) return fields
    this.seen = given
    return this.fields = fields
  }

  private fieldsOf(given: Given, hasBody: boolean): OutgoingHttpHeaders | BadRequest {
    const fields: OutgoingHttpHeaders = { ":authority": this.authority }
    for (const [name, value] of Object.entries(given)) {
      // Without a body there is nothing to wait with.
      if (name === "connection" || (name === "expect" && !hasBody)) continue
      const rule = ruleOf(name, value)
      if (rule !== undefined) return new BadRequest(`the header ${JSON.stringify(name)} ${rule}`)
      fields[name === "host" ? ":authority" : name] = value
    }
    return fields
  }
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
