/** The outcomes of actions, in a corner. */
import type { VNode } from "preact"
import { Mark } from "../parts/StatusMark.tsx"
import { dismiss, notices } from "../notices.ts"

const tones = { good: "ok", bad: "bad", busy: "info" } as const

export const Notices = (): VNode => (
  <div class="notices" role="status" aria-live="polite" aria-label="Results of actions">
    {notices.value.map(({ key, level, text }) => (
      <p key={key} class={`notice ${tones[level]}`}>
        <Mark tone={tones[level]} />
        <span>{text}</span>
        {level !== "busy" && (
          <button
            type="button"
            class="plain"
            aria-label="Dismiss"
            onClick={() => dismiss(key)}
          >
            ×
          </button>
        )}
      </p>
    ))}
  </div>
)
