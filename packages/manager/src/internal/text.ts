/**
 * Texts that come from elsewhere, made fit for a log, a terminal and a page.
 */
import * as ServerText from "@effect-pools/core/ServerText"

/** A text of at most 300 characters, without what could forge a line of a log or paint on a terminal. */
export const oneLine = (text: string): string => ServerText.clean(text)
