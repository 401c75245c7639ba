/** The buttons that change a pool: there only for whoever may press them. */
import type { VNode } from "preact"
import * as deeds from "../deeds.ts"
import type { PoolModel } from "../store.ts"

export const Actions = ({ pool: { name, now, read } }: { readonly pool: PoolModel }): VNode | null => {
  if (!deeds.canAct.value || now.value.state === "closed") return null
  const { config } = read.value
  const { limit, state } = now.value
  const isOpen = state === "open"
  return (
    <div class="actions" role="group" aria-label={`Actions on ${name}`}>
      {state !== "draining" && (
        <>
          <button type="button" onClick={() => deeds.warmUp(name, { limit, min: config.minConnections })}>
            Warm up
          </button>
          <button type="button" onClick={() => (isOpen ? deeds.pause : deeds.resume)(name)}>
            {isOpen ? "Pause" : "Resume"}
          </button>
          <button type="button" onClick={() => deeds.retireAll(name)}>Retire all</button>
          <button type="button" class="danger" onClick={() => deeds.drain(name, config.drainTimeout)}>Drain</button>
        </>
      )}
    </div>
  )
}
