/**
 * Topics: channels and patterns to subscribe to.
 */

/** A channel, all channels that match a pattern, or a channel that a cluster serves from one node. */
export type TopicKind = "channel" | "pattern" | "shard"

export interface Topic {
  readonly kind: TopicKind
  readonly name: string
}

/** Channels and patterns may have the same name. */
export const keyOf = ({ kind, name }: Topic): string => `${kind}:${name}`
