/**
 * What several schemas of the monitoring routes are made of.
 */
import * as Schema from "effect/Schema"

export const Text = Schema.NullOr(Schema.String)
/** `null` where there is no limit. */
export const Limit = Schema.NullOr(Schema.Finite)
