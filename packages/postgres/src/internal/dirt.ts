/**
 * What a borrower can leave behind in a session, how it is noticed, and which statements take it away again.
 *
 * It is noticed from two sides: the command tag that the server answers to each statement, and the text of statements
 * whose tag hides what they do (`SELECT set_config(...)`). Both rather see too much than too little: what is noticed in
 * vain costs a round trip, what is missed is handed to the next borrower. State that only a function in the server
 * changes can't be noticed; that is what the option `sessionReset: "always"` is for.
 */

/** A set of kinds of dirt, as bits. */
export type Dirt = number

export const none: Dirt = 0
/** `SET`, `set_config`, `UPDATE pg_settings`. */
export const settings: Dirt = 1
/** `SET ROLE`, `SET SESSION AUTHORIZATION`: `RESET ALL` leaves them. */
export const identity: Dirt = 2
/** `LISTEN`. */
export const listening: Dirt = 4
/** `DECLARE ... WITH HOLD`. */
export const cursors: Dirt = 8
/** Advisory locks of the session. */
export const locks: Dirt = 16
/** Temporary tables, views and sequences. */
export const temporary: Dirt = 32
/**
 * Prepared statements of the borrower, or those of the driver dropped by it. `DEALLOCATE ALL` would drop the driver's
 * too, and a dropped one fails the first transaction that uses it: only a new connection is clean.
 */
export const preparation: Dirt = 64
/** All that statements can take away. */
export const anything: Dirt = settings | identity | listening | cursors | locks | temporary

/** The dirt that a statement leaves, judged by the tag it was answered with. `text` is known if it ran alone. */
export const ofTag = (tag: string, text: string | undefined): Dirt => {
  switch (tag) {
    case "SET":
      return text === undefined ? settings | identity : ofSet(text)
    case "LISTEN":
      return listening
    case "DECLARE CURSOR":
      return cursors
    case "DO":
    case "CALL":
      return anything
    case "PREPARE":
    case "DEALLOCATE":
    case "DEALLOCATE ALL":
    case "DISCARD ALL":
    case "LOAD":
      return preparation
    default:
      return none
  }
}

const localSet = /^\s*SET\s+(?:LOCAL|TRANSACTION)\b/i
// As `session_authorization` too.
const identitySet = /\bROLE\b|AUTHORIZATION\b/i

// `SET LOCAL` ends with its transaction, and the server says `SET` to it as well.
const ofSet = (text: string): Dirt =>
  localSet.test(text) ? none : identitySet.test(text) ? settings | identity : settings

const suspicious = /set_config|pg_settings|advisory_lock|temp/i
const localConfig = /set_config\s*\([^()]*,\s*(?:true|'t(?:rue)?'|'on')\s*\)/gi
const config = /set_config|\bUPDATE\b[^]*\bpg_settings\b/i
const lock = /pg_(?:try_)?advisory_lock/i
const temp =
  /\b(?:CREATE|INTO)\s+(?:OR\s+REPLACE\s+)?(?:LOCAL\s+|GLOBAL\s+)?(?:RECURSIVE\s+)?TEMP(?:ORARY)?\b|\bpg_temp\b/i

/** The dirt that the text of a statement tells of, where its tag doesn't. */
export const ofText = (text: string): Dirt => {
  if (!suspicious.test(text)) return none
  let dirt = none
  if (config.test(text.replace(localConfig, ""))) dirt |= settings | identity
  if (lock.test(text)) dirt |= locks
  if (temp.test(text)) dirt |= temporary
  return dirt
}

const plain = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|VALUES|TABLE|WITH)\b/i

/** Whether a statement is one that begins no transaction. */
export const isPlain = (text: string): boolean => plain.test(text)

/**
 * The statements that take the dirt away, in order; `undefined` if none can. Without prepared statements of the driver
 * one statement does all of it.
 */
export const cleaning = (dirt: Dirt, hasPreparedStatements: boolean): ReadonlyArray<string> | undefined => {
  if (dirt === none) return []
  if (!hasPreparedStatements) return ["DISCARD ALL"]
  if ((dirt & preparation) !== 0) return undefined
  return steps.filter(([kind]) => (dirt & kind) !== 0).map(([, statement]) => statement)
}

// The identity comes first, since a lesser role may not reset what a greater one has set.
const steps: ReadonlyArray<readonly [Dirt, string]> = [
  [identity, "SET SESSION AUTHORIZATION DEFAULT"],
  [settings, "RESET ALL"],
  [listening, "UNLISTEN *"],
  [cursors, "CLOSE ALL"],
  [locks, "SELECT pg_advisory_unlock_all()"],
  [temporary, "DISCARD TEMP"]
]
