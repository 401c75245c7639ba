/**
 * Why a pool is not well: one cause, told once, with what to do.
 *
 * The numbers of a pool in trouble are all bad at the same time: everything is lent, callers wait, some fail. A diagnosis
 * tells which of them is the cause and leaves out what only follows from it. `health`, a caller's `AcquireTimeout`, and the
 * alerts, the log and the page of a manager say it in the same words.
 *
 * @since 0.1.0
 */
export { type Cause, causes, type Diagnosis } from "./internal/diagnosis/model.ts"
