/** Asks before something that hurts is done. */
import { useSignal } from "@preact/signals"
import type { VNode } from "preact"
import { type Question, question } from "../deeds.ts"
import { Dialog } from "../parts/Dialog.tsx"

export const QuestionDialog = (): VNode | null =>
  question.value === undefined ? null : <Asked key={question.value.title} {...question.value} />

const close = (): void => {
  question.value = undefined
}

const Asked = ({ button, isDangerous, number, text, then, title }: Question): VNode => {
  const value = useSignal(number?.value ?? 0)
  return (
    <Dialog title={title} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          close()
          then(value.value)
        }}
      >
        <p>{text}</p>
        {number !== undefined && (
          <label>
            {number.label}
            <input
              type="number"
              min={number.from}
              max={number.to}
              step={1}
              required
              value={value.value}
              onInput={(event) => value.value = event.currentTarget.valueAsNumber}
            />
          </label>
        )}
        <div class="buttons">
          <button type="button" onClick={close}>Cancel</button>
          <button type="submit" class={isDangerous ? "danger" : "primary"}>{button}</button>
        </div>
      </form>
    </Dialog>
  )
}
