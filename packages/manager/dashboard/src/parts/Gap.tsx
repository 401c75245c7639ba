/** The room of the rows of a table that are not on the screen. */
import type { VNode } from "preact"

/** `height` is in px. */
export const Gap = ({ height }: { readonly height: number }): VNode | null =>
  height === 0 ? null : <tr class="gap" aria-hidden="true" style={{ height: `${height}px` }} />
