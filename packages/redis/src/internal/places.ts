/**
 * The sockets of one connection to the nodes of a cluster: one to each node that was needed so far.
 *
 * The trouble of a node is its own: when its socket ends it is forgotten, and opened again for the next who wants it. The
 * others go on.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { RedisError } from "../RedisError.ts"
import type { Node, OnEnd } from "./node.ts"
import { type Address, addressText, type Opened } from "./settings.ts"

export interface PlacesParts {
  /** Opens a socket, in the connection's scope and within a time of its own. */
  readonly open: (address: Address, onEnd: OnEnd) => Effect.Effect<Opened<Node>, RedisError>
  /** Runs an effect beside, in the connection's scope. */
  readonly fork: (effect: Effect.Effect<void>) => void
  /** A socket has ended that was open. */
  readonly onLeft?: (() => void) | undefined
  /** The last socket has ended, and none is being opened. */
  readonly onEmpty: (cause: Error) => void
}

/** Gives a node, or the reason why there is none. */
type Use = (node: Node | undefined, error: unknown) => void

interface Place {
  readonly address: Address
  /** `undefined` while it is being opened. */
  opened: Opened<Node> | undefined
  readonly waiters: Array<Use>
}

export class Places {
  private readonly parts: PlacesParts
  private readonly places = new Map<string, Place>()
  private ended: Error | undefined

  constructor(parts: PlacesParts) {
    this.parts = parts
  }

  get isEmpty(): boolean {
    return this.places.size === 0
  }

  /** Takes in a socket that was opened before. */
  add(address: Address, opened: Opened<Node>): void {
    this.places.set(addressText(address), { address, opened, waiters: [] })
  }

  at(address: Address): Node | undefined {
    const node = this.places.get(addressText(address))?.opened?.node
    return node?.ended === undefined ? node : undefined
  }

  addressOf(node: Node): Address | undefined {
    for (const { address, opened } of this.places.values()) if (opened?.node === node) return address
    return undefined
  }

  /** Those that are open. */
  nodes(): ReadonlyArray<Node> {
    return Array.from(this.places.values(), ({ opened }) => opened?.node).filter((node) => node !== undefined)
  }

  with(address: Address, use: Use): void {
    if (this.ended !== undefined) return use(undefined, this.ended)
    const node = this.at(address)
    if (node !== undefined) return use(node, undefined)
    const name = addressText(address)
    const known = this.places.get(name)
    if (known !== undefined && known.opened === undefined) return void known.waiters.push(use)
    const place: Place = { address, opened: undefined, waiters: [use] }
    this.places.set(name, place)
    const opened = this.parts.open(address, (cause) => this.left(place, cause))
    this.parts.fork(Effect.flatMap(Effect.exit(opened), (exit) => this.arrived(place, exit)))
  }

  private arrived(place: Place, exit: Exit.Exit<Opened<Node>, RedisError>): Effect.Effect<void> {
    if (this.ended !== undefined) return Effect.void
    const waiters = place.waiters.splice(0)
    if (Exit.isSuccess(exit)) {
      const { close, node } = place.opened = exit.value
      for (const waiter of waiters) waiter(node, undefined)
      // It may have ended before it was taken in.
      return node.ended === undefined ? Effect.void : close
    }
    const error = Cause.squash(exit.cause)
    this.left(place, error instanceof Error ? error : new Error("it could not be opened"))
    for (const waiter of waiters) waiter(undefined, error)
    return Effect.void
  }

  private left(place: Place, cause: Error): void {
    if (this.ended !== undefined) return
    const name = addressText(place.address)
    if (this.places.get(name) === place) this.places.delete(name)
    if (place.opened !== undefined) this.parts.fork(place.opened.close)
    if (this.isEmpty) this.parts.onEmpty(cause)
    else if (place.opened !== undefined) this.parts.onLeft?.()
  }

  /** A socket that was taken in has ended. */
  lost(node: Node, cause: Error): void {
    for (const place of this.places.values()) if (place.opened?.node === node) return this.left(place, cause)
  }

  unsent(): number {
    return this.nodes().reduce((bytes, node) => bytes + node.unsent, 0)
  }

  destroy(cause: Error): void {
    const nodes = this.nodes()
    this.end(cause)
    for (const node of nodes) node.destroy(cause)
  }

  /** Opens no more sockets, and tells those who wait for one. Sockets that are open say goodbye by themselves. */
  end(cause: Error): void {
    if (this.ended !== undefined) return
    this.ended = cause
    const places = Array.from(this.places.values())
    this.places.clear()
    for (const { waiters } of places) for (const waiter of waiters) waiter(undefined, cause)
  }
}
