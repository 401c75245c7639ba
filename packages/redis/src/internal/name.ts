/**
 * Names of commands. What a command does to its connection is known by its name in capitals.
 */

/** The name in capitals, which nearly all names are in already. Whatever is no name is refused: it might hold a command more. */
export const capitals = (name: string): string => {
  const { length } = name
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i)
    if (code < letterA || code > letterZ) return inCapitals(name)
  }
  return length === 0 ? inCapitals(name) : name
}

const letterA = 65
const letterZ = 90

const inCapitals = (name: string): string => {
  if (typeof name !== "string" || name.length > 200 || !/^[\w.-]+$/.test(name)) {
    throw new TypeError("the name of a Redis command is one word")
  }
  return name.toUpperCase()
}

/** A command that somebody has made by hand, with its name as it must be. */
export const named = <C extends { readonly name: string }>(command: C): C => {
  const name = capitals(command.name)
  return name === command.name ? command : { ...command, name }
}
