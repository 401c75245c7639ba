/**
 * The map of a cluster by its own words: which primary holds which slot.
 */
import type { RawReply } from "../RedisCommand.ts"
import { type Address, type AddressMap, addressText, isSameAddress, translated } from "./settings.ts"
import { slotCount } from "./slot.ts"

/** Where a server sends a command that it does not answer itself. */
export interface Redirection {
  readonly _tag: "MOVED" | "ASK"
  readonly slot: number
  readonly address: Address
}

export class ClusterMap {
  private readonly addressMap: AddressMap
  private readonly owners: Array<Address | undefined> = Array(slotCount)
  private readonly ids = new Map<string, string>()
  private list: ReadonlyArray<Address> = []

  constructor(addressMap: AddressMap) {
    this.addressMap = addressMap
  }

  ownerOf(slot: number): Address | undefined {
    return this.owners[slot]
  }

  /** The name of a node in the cluster. */
  idOf(address: Address): string | undefined {
    return this.ids.get(addressText(address))
  }

  /** Each primary once, in whatever order the server named them. */
  get primaries(): ReadonlyArray<Address> {
    return this.list
  }

  isPrimary(address: Address): boolean {
    return this.list.some((primary) => isSameAddress(primary, address))
  }

  moved(slot: number, to: Address): void {
    this.owners[slot] = to
    if (!this.isPrimary(to)) this.list = [...this.list, to]
  }

  /**
   * Takes the answer to `CLUSTER SLOTS`, and gives each primary by its id. There is none where the server belongs to no
   * cluster any more: that is no news about those who do.
   */
  read(reply: RawReply, from: Address): ReadonlyMap<string, Address> {
    const primaries = new Map<string, Address>()
    const found: Array<Address> = []
    let left = 2 * slotCount
    for (const range of listOf(reply)) {
      const [first, last, primary] = listOf(range)
      // A server out of its mind must not have us count for ever.
      left -= Number(last) - Number(first) + 1
      if (!isSlot(first) || !isSlot(last) || left < 0) break
      const [host, port, id] = listOf(primary)
      if (!isPort(port)) continue
      const address = translated(this.addressMap, { host: textOf(host) || from.host, port: Number(port) })
      if (!primaries.has(textOf(id))) found.push(address)
      primaries.set(textOf(id), address)
      this.ids.set(addressText(address), textOf(id))
      for (let slot = Number(first); slot <= Number(last); slot++) this.owners[slot] = address
    }
    if (found.length > 0) this.list = found
    return primaries
  }

  /** Reads `MOVED 3999 127.0.0.1:6381`, where an empty host is that of the server that says so. */
  redirection(error: unknown, from: Address): Redirection | undefined {
    const said = error instanceof Error ? /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(error.message) : null
    if (said === null) return undefined
    const address = { host: said[3] === "" ? from.host : said[3]!, port: Number(said[4]) }
    return {
      _tag: said[1] as "MOVED" | "ASK",
      slot: Number(said[2]),
      address: translated(this.addressMap, address)
    }
  }
}

/** Whether a node belongs to a cluster that works, as its answer to `CLUSTER INFO` says. One that tells nothing may. */
export const isInOrder = (info: RawReply): boolean => !/cluster_state:fail/.test(textOf(info))

/** Whether the answer to `CLUSTER NODES` counts a node in. An answer of another kind tells nothing. */
export const counts = (nodes: RawReply, id: string): boolean => {
  const lines = textOf(nodes).split("\n").map((line) => line.split(" ")).filter(({ length }) => length >= 8)
  if (lines.length === 0) return true
  const flags = lines.find(([known]) => known === id)?.[2]?.split(",")
  return flags !== undefined && !flags.some((flag) => flag === "fail" || flag === "noaddr" || flag === "handshake")
}

const isPort = (port: RawReply | undefined): boolean =>
  Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536

const isSlot = (slot: RawReply | undefined): boolean =>
  Number.isInteger(slot) && Number(slot) >= 0 && Number(slot) < slotCount

const listOf = (reply: RawReply | undefined): ReadonlyArray<RawReply> => Array.isArray(reply) ? reply : []
const textOf = (reply: RawReply | undefined): string =>
  reply === null || reply === undefined || Array.isArray(reply) ? "" : String(reply)
