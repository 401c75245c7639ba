/**
 * The request as it is sent.
 */
import type { Content } from "./requestBody.ts"

export interface Outgoing {
  readonly method: string
  readonly path: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Content
  /** How many bytes the body has, if that is known. */
  readonly length: number | undefined
}
