/** The orders to a lane, and its answers. */
import type { Lap } from "./race.ts"

export type TrackName = "lease" | "throughput" | "traffic"

export type Order =
  | { readonly _tag: "SetUp"; readonly scenario: unknown }
  | { readonly _tag: "Round" }
  | { readonly _tag: "Finish" }

export type Reply =
  | { readonly _tag: "Done"; readonly lap: Lap | undefined }
  | { readonly _tag: "Failed"; readonly problem: string }
