/** Scenes of a suite: each is played in a process of its own, and its outcome is told as a record and a table. */
import { ask, end, endWithParent, kill, start } from "./children.ts"
import type { Choice, Outcome } from "./suite.ts"

type Reply =
  | { readonly _tag: "Done"; readonly outcome: object }
  | { readonly _tag: "Failed"; readonly problem: string }

type Players<Scene extends { readonly _tag: string }> = {
  readonly [Tag in Scene["_tag"]]: (scene: Extract<Scene, { readonly _tag: Tag }>) => Promise<object>
}

/** Plays the scene that the process is sent, by its tag. */
export const playWhenAsked = <Scene extends { readonly _tag: string }>(players: Players<Scene>): void => {
  // Each player is given the scene of its own tag.
  const play = (scene: Scene) => (players[scene._tag as Scene["_tag"]] as (scene: Scene) => Promise<object>)(scene)
  const send = (reply: Reply): void => {
    process.send?.(reply)
  }
  endWithParent()
  process.on("message", (scene: Scene) => {
    play(scene).then(
      (outcome) => send({ _tag: "Done", outcome }),
      (error: unknown) => send({ _tag: "Failed", problem: String(error) })
    )
  })
}

/** Plays a scene in a process of that module. */
export const playIn = async <Result>(worker: URL, name: string, scene: object): Promise<Result> => {
  const child = start(worker, [name])
  const reply = await ask<Reply>(child, name, scene)
  await end(child)
  return outcomeIn<Result>(name, reply)
}

/** The same with a limit in milliseconds: nothing if the scene is not over by then. */
export const playWithin = async <Result>(
  limit: number,
  worker: URL,
  name: string,
  scene: object
): Promise<Result | undefined> => {
  const child = start(worker, [name])
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limit)
  const reply = await Promise.race([ask<Reply>(child, name, scene), over])
  clearTimeout(timer)
  await (reply === undefined ? kill(child) : end(child))
  return reply === undefined ? undefined : outcomeIn<Result>(name, reply)
}

const outcomeIn = <Result>(name: string, reply: Reply): Result => {
  if (reply._tag === "Failed") throw new Error(`${name}: ${reply.problem}`)
  return reply.outcome as Result // the scene's own: the module that plays it gives no other
}

/** The outcomes of scenes by their names. */
export type Played = Readonly<Record<string, Outcome>>

/** Plays the scenes that were asked for, with their numbers rounded in the record. */
export const playAll = async (
  scenes: Readonly<Record<string, () => Promise<Outcome>>>,
  { filter }: Choice,
  round: (value: number) => number,
  tell: (line: string) => void
): Promise<Played> => {
  const rounded = (record: object): object =>
    JSON.parse(JSON.stringify(record, (_, value: unknown) => typeof value === "number" ? round(value) : value))
  const played: Record<string, Outcome> = {}
  for (const [name, scene] of Object.entries(scenes)) {
    if (!name.includes(filter)) continue
    tell(`${name} ...`)
    const { record, text } = await scene()
    played[name] = { record: rounded(record), text }
    tell(text)
  }
  return played
}

/** The outcome of a suite of races and scenes; nothing if none of them was asked for. */
export const outcomeOf = <Result>(
  { render, results, rounds }: {
    readonly rounds: number
    readonly results: ReadonlyArray<Result>
    readonly render: (results: ReadonlyArray<Result>) => string
  },
  played: Played
): Outcome | undefined => {
  const scenes = Object.entries(played)
  if (results.length + scenes.length === 0) return undefined
  const texts = scenes.map(([, { text }]) => text)
  return {
    record: { rounds, results, scenes: Object.fromEntries(scenes.map(([name, { record }]) => [name, record])) },
    text: (results.length === 0 ? texts : [render(results), ...texts]).join("\n\n")
  }
}
