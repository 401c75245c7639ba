/** The name of a pool where there may be little room: what tells it from the others is never cut. */
import type { VNode } from "preact"
import { partsOf } from "../names.ts"

export const PoolName = ({ name }: { readonly name: string }): VNode => {
  const parts = partsOf(name)
  if (parts === undefined) return <>{name}</>
  const { after, before, whole } = parts
  return (
    <>
      <span class="unseen">{name}</span>
      <span class="name" title={name} aria-hidden="true">
        <span class={whole === "before" ? "whole" : "cut"}>{before}</span>
        <span class={whole === "after" ? "whole" : "cut"}>{after}</span>
      </span>
    </>
  )
}
