/** A number and what it is. */
import type { ComponentChildren, VNode } from "preact"

interface Props {
  readonly name: string
  readonly hint?: string
  readonly tone?: "warn" | "bad" | undefined
  readonly children: ComponentChildren
}

export const Fact = ({ children, hint, name, tone }: Props): VNode => (
  <div class={tone === undefined ? "fact" : `fact ${tone}`} title={hint}>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)
