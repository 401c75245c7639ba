/** The keyboard: `/` goes to the search of the view, Escape empties and leaves it. */

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable], dialog") !== null

const searchOf = (): HTMLInputElement | undefined =>
  Array.from(document.querySelectorAll<HTMLInputElement>("main input[type=search]")).find((input) =>
    input.offsetParent !== null
  )

export const listenToKeys = (): void =>
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = searchOf()
      if (search === undefined) return
      event.preventDefault()
      search.focus()
      search.select()
    } else if (event.key === "Escape" && event.target instanceof HTMLInputElement && event.target.type === "search") {
      event.target.value = ""
      event.target.dispatchEvent(new Event("input", { bubbles: true }))
      event.target.blur()
    }
  })
