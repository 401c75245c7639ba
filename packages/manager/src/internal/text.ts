/**
 * Texts that come from elsewhere, made fit for a log, a terminal and a page.
 */
import * as Describe from "@effect-pools/core/Describe"

/** A text of at most 300 characters, without what could forge a line of a log or paint on a terminal. */
export const oneLine = (text: string): string => Describe.oneLine(text.slice(0, 300))
