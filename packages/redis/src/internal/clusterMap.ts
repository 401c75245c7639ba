/**
 * What a cluster says about itself: which primary holds which slot.
 */
import type { RawReply } from "../RedisCommand.ts"
import { type Address, addressText } from "./settings.ts"
import { slotCount } from "./slot.ts"

/** Where a server sends a command that it does not answer itself. */
export interface Redirection {
  readonly _tag: "MOVED" | "ASK"
  readonly slot: number
  readonly address: Address
}

export class ClusterMap {
  private readonly owners: Array<Address | undefined> = Array(slotCount)
  private list: ReadonlyArray<Address> = []

  ownerOf(slot: number): Address | undefined {
    return this.owners[slot]
  }

  /** Each primary once, in whatever order the server named them. */
  get primaries(): ReadonlyArray<Address> {
    return this.list
  }

  moved(slot: number, to: Address): void {
    this.owners[slot] = to
    if (!this.list.some((address) => addressText(address) === addressText(to))) this.list = [...this.list, to]
  }

  /** Takes the answer to `CLUSTER SLOTS`, and gives each primary by its id. */
  read(reply: RawReply, from: Address): ReadonlyMap<string, Address> {
    const primaries = new Map<string, Address>()
    const found: Array<Address> = []
    for (const range of listOf(reply)) {
      const [first, last, primary] = listOf(range)
      const [host, port, id] = listOf(primary)
      const address = { host: textOf(host) || from.host, port: Number(port) }
      if (!primaries.has(textOf(id))) found.push(address)
      primaries.set(textOf(id), address)
      for (let slot = Number(first); slot <= Number(last); slot++) this.owners[slot] = address
    }
    // A server that has left its cluster knows of nobody, which is no news about those who have not.
    if (found.length > 0) this.list = found
    return primaries
  }
}

/** Reads `MOVED 3999 127.0.0.1:6381`, where an empty host is that of the server that says so. */
export const redirection = (error: unknown, from: Address): Redirection | undefined => {
  const said = error instanceof Error ? /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(error.message) : null
  if (said === null) return undefined
  return {
    _tag: said[1] as "MOVED" | "ASK",
    slot: Number(said[2]),
    address: { host: said[3] === "" ? from.host : said[3]!, port: Number(said[4]) }
  }
}

const listOf = (reply: RawReply | undefined): ReadonlyArray<RawReply> => Array.isArray(reply) ? reply : []
const textOf = (reply: RawReply | undefined): string => reply === null || reply === undefined ? "" : String(reply)
