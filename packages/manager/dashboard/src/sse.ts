/** Server-sent events out of text that comes in pieces of any size. */

export interface Frame {
  readonly id: string | undefined
  readonly data: string
}

/** Takes the next piece of text, and gives the frames that are complete. Comments are left out. */
export const makeParser = (): (piece: string) => ReadonlyArray<Frame> => {
  let rest = ""
  let id: string | undefined
  let data: Array<string> = []
  const take = (line: string, frames: Array<Frame>): void => {
    if (line === "") {
      if (data.length > 0) frames.push({ id, data: data.join("\n") })
      id = undefined
      data = []
    } else if (line.startsWith("data:")) data.push(valueOf(line, 5))
    else if (line.startsWith("id:")) id = valueOf(line, 3)
  }
  return (piece) => {
    const lines = (rest + piece).split("\n")
    rest = lines.pop() ?? ""
    const frames: Array<Frame> = []
    for (const line of lines) take(line.endsWith("\r") ? line.slice(0, -1) : line, frames)
    return frames
  }
}

const valueOf = (line: string, from: number): string => line.slice(line[from] === " " ? from + 1 : from)
