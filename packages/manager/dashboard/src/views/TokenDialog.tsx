/** Asks for the token. */
import { signal, useSignal } from "@preact/signals"
import type { VNode } from "preact"
import { isToken } from "../api.ts"
import { Dialog } from "../parts/Dialog.tsx"
import { pools } from "../store.ts"
import { setToken } from "../token.ts"

export const isAskingToken = signal(false)

export const TokenDialog = (): VNode | null => {
  if (!isAskingToken.value) return null
  const close = (): void => {
    isAskingToken.value = false
  }
  return (
    <Dialog title="Unlock actions" close={close}>
      <TokenForm
        text="The token that the program was given for its monitoring. It is kept in this tab only."
        check={async (value) =>
          await isToken(value, pools.peek()[0]?.name ?? "none") ? undefined : "This is not the token."}
        done={close}
      />
    </Dialog>
  )
}

interface FormProps {
  readonly text: string
  /** The fault of the token, if it has one. */
  readonly check?: (value: string) => Promise<string | undefined>
  readonly done?: () => void
}

export const TokenForm = ({ check, done, text }: FormProps): VNode => {
  const value = useSignal("")
  const wrong = useSignal<string | undefined>(undefined)
  const submit = async (): Promise<void> => {
    if (value.value === "") return
    wrong.value = await check?.(value.value).catch(() => "The server can't be reached.")
    if (wrong.value !== undefined) return
    setToken(value.value)
    done?.()
  }
  return (
    <form
      class="token"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <p>{text}</p>
      <label>
        Token
        <input
          type="password"
          autocomplete="off"
          value={value.value}
          aria-invalid={wrong.value !== undefined}
          aria-describedby="token-wrong"
          onInput={(event) => value.value = event.currentTarget.value}
        />
      </label>
      <p id="token-wrong" class="bad" role="alert">{wrong.value}</p>
      <div class="buttons">
        {done !== undefined && <button type="button" onClick={done}>Cancel</button>}
        <button type="submit" class="primary">Unlock</button>
      </div>
    </form>
  )
}
