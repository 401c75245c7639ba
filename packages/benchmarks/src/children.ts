/** The processes of a run. None outlives it, however it ends: each ends itself once its channel to the run is gone. */
import { type ChildProcess, fork } from "node:child_process"

const children = new Set<ChildProcess>()
const asked = new WeakSet<ChildProcess>()
const firstLoss = Promise.withResolvers<never>()

/** Fails as soon as a process ends that was not asked to: the rest of the run would be measured in vain. */
export const lost: Promise<never> = firstLoss.promise

const startWith = (module: URL, args: ReadonlyArray<string>, execArgv: Array<string>): ChildProcess => {
  const child = fork(module, args, { execArgv })
  children.add(child)
  child.once("exit", () => {
    children.delete(child)
    if (!asked.has(child)) firstLoss.reject(new Error(`the process of ${args.join(" ")} ended`))
  })
  return child
}

const fromSource = "--conditions=@effect-pools/source"

/** Starts a module as a process of the run. */
export const start = (module: URL, args: ReadonlyArray<string>): ChildProcess => startWith(module, args, [fromSource])

/**
 * The same for one whose work is timed. While the others have their turns it rests, as no process under load does: V8 would take
 * that for the time to collect everything and throw compiled code away, and the next rounds would measure the compiler.
 */
export const startTimed = (module: URL, args: ReadonlyArray<string>): ChildProcess =>
  startWith(module, args, [fromSource, "--no-memory-reducer"])

/** The same with our packages as they are published. */
export const startBuilt = (module: URL, args: ReadonlyArray<string>): ChildProcess => startWith(module, args, [])

const endLimit = 20_000

/** Asks a process to end, and waits until it has. */
export const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (!children.has(child)) return resolve()
    asked.add(child)
    const timer = setTimeout(() => child.kill("SIGKILL"), endLimit)
    child.once("exit", () => {
      clearTimeout(timer)
      resolve()
    })
    if (child.connected) child.disconnect()
  })

/** Ends a process that would not hear of it soon. */
export const kill = (child: ChildProcess): Promise<void> => {
  child.kill("SIGKILL")
  return end(child)
}

export const endAll = async (): Promise<void> => {
  await Promise.all(Array.from(children, end))
}

/**
 * To be called in such a process. Ctrl-C reaches it as well as the run, which is to end it in its turn: a server that
 * dies first would look like a contender that fails.
 */
export const endWithParent = (cleanUp: () => Promise<void> = () => Promise.resolve()): void => {
  const exit = () => process.exit()
  process.on("SIGINT", () => {})
  process.once("disconnect", () => void cleanUp().then(exit, exit))
  if (!process.connected) exit() // it was told before it could listen
}

/** Sends a message and waits for the answer. */
export const ask = <Answer>(child: ChildProcess, name: string, message?: object): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(new Error(`the process of ${name} can't be asked: ${error.message}`))
    child.once("error", fail)
    child.once("message", (answer: unknown) => {
      child.off("error", fail)
      resolve(answer as Answer) // what the module that runs there sends
    })
    if (message !== undefined) child.send(message)
  })
