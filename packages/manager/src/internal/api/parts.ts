/**
 * Parts that several schemas of the monitoring routes share.
 */
import * as Schema from "effect/Schema"

export const Text = Schema.NullOr(Schema.String)
/** `null` where there is no limit. */
export const Limit = Schema.NullOr(Schema.Finite)
