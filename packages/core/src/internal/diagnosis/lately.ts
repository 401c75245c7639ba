/**
 * The diagnosis for callers that are refused at once, of whom there may be very many: it is made once a second at most.
 */
import { lately } from "../pool/lately.ts"
import { diagnose } from "./diagnose.ts"
import { observe } from "./observe.ts"

/** ms */
const fresh = 1000

export const diagnosedLately = lately(fresh, (state) => diagnose(observe(state))?.diagnosis)
