/**
 * Whether a path stays below another, in the eyes of whatever server looks at it.
 */

/**
 * Whether a path leads out of a base path. Servers and what stands before them decode a path, some of them twice, and take
 * a backslash for a slash or pass over what follows a semicolon: a path that any of them would take out is out.
 */
export const isLeft = (base: string, path: string): boolean => {
  if (base === "") return false
  let read = path
  for (let round = 0; round < rounds; round++) {
    if (!isBelow(base, read)) return true
    read = decoded(read)
  }
  return !isBelow(base, read)
}

/** How often the encoding of a slash, a dot or a percent sign is undone. */
const rounds = 2

const decoded = (path: string): string =>
  path.replace(/%(2e|2f|5c|25)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

const isBelow = (base: string, path: string): boolean => {
  const segments: Array<string> = []
  for (const segment of path.split(/[/\\]/)) {
    const [name] = segment.split(";", 1)
    if (name === "..") segments.pop()
    else if (name !== "" && name !== ".") segments.push(segment)
  }
  const wanted = base.split("/").filter((segment) => segment !== "")
  return wanted.every((segment, index) => segments[index] === segment)
}
