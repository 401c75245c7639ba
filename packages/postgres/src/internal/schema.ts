/**
 * Changes of the schema under a pool, after which what its connections have prepared no longer fits.
 *
 * The server refuses a prepared statement whose columns or types are others now, once in each session: in a transaction
 * that fails it, and for a type that is gone it goes on for ever. So one session that meets the change, or makes it, tells
 * all others of the pool, which prepare anew.
 */
import type { ErrorFields } from "@effect/sql-pg/PgProtocol"
import type { Notices } from "./notices.ts"
import type { Statements } from "./statements.ts"

/** Shared by all sessions of a pool. */
export interface Schema {
  /** How many changes were noticed. */
  changes: number
  /** The statements of its sessions; without it nothing is counted and all are prepared. */
  readonly statements?: Statements | undefined
  /** Told of what the server says beside its answers. */
  readonly notices?: Notices | undefined
}

type Said = Pick<ErrorFields, "code" | "message" | "routine">

/** Whether the server refused a statement because it was prepared before a change. */
export const isStale = ({ code, message, routine }: Said): boolean => {
  switch (code) {
    case "0A000":
      // The name of the place is the same in every language.
      return routine === "RevalidateCachedQuery" || (message ?? "").startsWith("cached plan must not change")
    case "XX000":
      // Messages of internal errors are never translated.
      return (message ?? "").startsWith("cache lookup failed for ")
    default:
      return false
  }
}

/**
 * Errors that only the first execution of a text has by its own fault. Once it is prepared, they say that a type of its
 * parameters is another now, as while an enum is replaced step by step.
 */
const ofTypes = /^(?:42804|42883|42725|42P18)$/

export const isOfTypes = ({ code }: Said): boolean => code !== undefined && ofTypes.test(code)

const changes = /^(?:ALTER (?:TABLE|TYPE|VIEW|MATERIALIZED VIEW|FOREIGN TABLE|DOMAIN|FUNCTION)|CREATE VIEW|DROP TYPE)$/

/** Whether the command with this tag may change the columns or types of statements. */
export const isChange = (tag: string): boolean => changes.test(tag)
