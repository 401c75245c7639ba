/**
 * A connection of an HTTP pool as its borrower sees it.
 */
import type { HttpClient } from "effect/http/HttpClient"

/**
 * The view that a borrower is given: an `HttpClient` bound to this one connection.
 *
 * URLs may be relative to the origin and its `basePath`. It ends with the lease: using it afterwards is a defect.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpConnection extends HttpClient {
  /** The protocol of the connection. */
  readonly protocol: "HTTP/1.1" | "HTTP/2"
}
