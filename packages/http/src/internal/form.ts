/**
 * Forms as bytes, for connections that undici does not write to.
 */
import { FormData, Response } from "undici"
import type { Outgoing } from "./outgoing.ts"

/** The same request, with a form written out: the type of its body has the boundary. */
export const encoded = (outgoing: Outgoing): Outgoing => {
  if (!(outgoing.body instanceof FormData)) return outgoing
  const { body, headers } = new Response(outgoing.body)
  return {
    ...outgoing,
    body: body as AsyncIterable<Uint8Array> | null,
    headers: { ...outgoing.headers, "content-type": headers.get("content-type") ?? "multipart/form-data" }
  }
}
