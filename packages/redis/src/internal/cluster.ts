/**
 * Carries requests to the nodes of a cluster: one socket to each node that was needed so far.
 *
 * The slots' owners are asked for at the dial and after a redirection; a redirection itself is followed at once. When the
 * socket to a node ends, the whole connection does: the pool opens another, which asks anew.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Command } from "ioredis"
import { RedisError, TooManyRedirections } from "../RedisError.ts"
import { type ClusterMap, type Redirection, redirection } from "./clusterMap.ts"
import type { Node } from "./node.ts"
import { type OnDone, Request } from "./request.ts"
import type { Carrier } from "./session.ts"
import { type Address, addressText } from "./settings.ts"
import { slotOf } from "./slot.ts"

export interface ClusterParts {
  /** The node that was asked first. */
  readonly seed: Node
  readonly map: ClusterMap
  readonly maxRedirections: number
  /** Opens a socket to one more node, in the connection's scope. */
  readonly open: (address: Address) => Effect.Effect<Node, RedisError>
  /** Runs an effect beside, in the connection's scope. */
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** A node that is open, or those who wait for it. */
type Place = Node | Array<(node: Node | undefined, error: unknown) => void>

export class Cluster implements Carrier {
  private readonly parts: ClusterParts
  private readonly places = new Map<string, Place>()
  private isAsking = false
  private ended: Error | undefined = undefined

  constructor(parts: ClusterParts, seedAddress: Address | undefined) {
    this.parts = parts
    if (seedAddress !== undefined) this.places.set(addressText(seedAddress), parts.seed)
  }

  primaries(): ReadonlyArray<Address> {
    return this.parts.map.primaries
  }

  send(request: Request): void {
    const key = keyOf(request)
    const owner = key === undefined ? undefined : this.parts.map.ownerOf(slotOf(key))
    if (owner === undefined) this.sendOn(this.parts.seed, request)
    else this.sendAt(owner, request)
  }

  sendTo(request: Request, primary: Address): void {
    this.sendAt(primary, request)
  }

  /** All go where the first key belongs: the server refuses what belongs elsewhere. */
  sendTogether(requests: ReadonlyArray<Request>): void {
    let owner: Address | undefined
    for (const request of requests) {
      const key = keyOf(request)
      if (key === undefined) continue
      owner = this.parts.map.ownerOf(slotOf(key))
      break
    }
    const sendAll = (node: Node) => {
      for (const request of requests) {
        request.onRedirection = (error) => {
          const found = redirection(error, node.address)
          if (found?._tag === "MOVED") this.moved(found)
          return false
        }
        node.send(request)
      }
    }
    if (owner === undefined) return sendAll(this.parts.seed)
    this.withNode(owner, (node, error) => {
      if (node !== undefined) return sendAll(node)
      for (const request of requests) request.reject(error)
    })
  }

  unsent(): number {
    let bytes = this.parts.seed.unsent
    for (const place of this.places.values()) {
      if (!Array.isArray(place) && place !== this.parts.seed) bytes += place.unsent
    }
    return bytes
  }

  destroy(cause: Error): void {
    this.parts.seed.destroy(cause)
    for (const place of this.places.values()) if (!Array.isArray(place)) place.destroy(cause)
    this.end(cause)
  }

  /** Opens no more sockets, and tells those who wait for one. Sockets that are open say goodbye by themselves. */
  end(cause: Error): void {
    this.ended ??= cause
    const places = Array.from(this.places.values())
    this.places.clear()
    for (const place of places) {
      if (Array.isArray(place)) { for (const waiter of place) waiter(undefined, cause) }
    }
  }

  listener(shardedChannel: string | undefined): Effect.Effect<Node, unknown> {
    const owner = shardedChannel === undefined ? undefined : this.parts.map.ownerOf(slotOf(shardedChannel))
    if (owner === undefined) return Effect.succeed(this.parts.seed)
    return Effect.callback((resume) =>
      this.withNode(owner, (node, error) => resume(node === undefined ? Effect.fail(error) : Effect.succeed(node)))
    )
  }

  redirected(error: unknown, by: Node): boolean {
    const to = redirection(error, by.address)
    if (to?._tag !== "MOVED") return false
    this.moved(to)
    return true
  }

  private sendAt(address: Address, request: Request, isAsked = false): void {
    this.withNode(address, (node, error) => {
      if (node === undefined) {
        // Its replica may have taken over.
        this.askAgain()
        return request.reject(error)
      }
      if (isAsked) node.send(new Request("ASKING", [], ignore))
      this.sendOn(node, request)
    })
  }

  private sendOn(node: Node, request: Request): void {
    request.onRedirection = (error) => this.follow(redirection(error, node.address), request)
    node.send(request)
  }

  private follow(to: Redirection | undefined, request: Request): boolean {
    if (to === undefined || this.ended !== undefined) return false
    if (to._tag === "MOVED") this.moved(to)
    const { maxRedirections } = this.parts
    if (request.redirections >= maxRedirections) {
      const reason = new TooManyRedirections({ redirections: maxRedirections })
      request.fail(new RedisError({ command: request.name, reason }))
    } else {
      request.redirections++
      this.sendAt(to.address, request, to._tag === "ASK")
    }
    return true
  }

  private moved({ address, slot }: Redirection): void {
    this.parts.map.moved(slot, address)
    this.askAgain(address)
  }

  /** Others may have moved as well. However many redirections come, one question is on its way at a time. */
  private askAgain(address?: Address): void {
    if (this.isAsking || this.ended !== undefined) return
    this.isAsking = true
    const { seed } = this.parts
    if (address === undefined) this.ask(seed)
    else this.withNode(address, (node) => this.ask(node ?? seed))
  }

  private ask(node: Node): void {
    const done: OnDone = (_, reply, error) => {
      this.isAsking = false
      if (error === undefined) this.parts.map.read(reply, node.address)
    }
    node.send(new Request("CLUSTER", ["SLOTS"], done))
  }

  private withNode(address: Address, use: (node: Node | undefined, error: unknown) => void): void {
    if (this.ended !== undefined) return use(undefined, this.ended)
    const name = addressText(address)
    const place = this.places.get(name)
    if (place !== undefined) {
      if (Array.isArray(place)) place.push(use)
      else use(place, undefined)
      return
    }
    const waiters = [use]
    this.places.set(name, waiters)
    this.parts.fork(Effect.map(Effect.exit(this.parts.open(address)), (exit) => {
      if (this.ended !== undefined) return
      if (Exit.isSuccess(exit)) this.places.set(name, exit.value)
      else this.places.delete(name)
      for (const waiter of waiters) {
        if (Exit.isSuccess(exit)) waiter(exit.value, undefined)
        else waiter(undefined, Cause.squash(exit.cause))
      }
    }))
  }
}

const ignore = (): void => {}

/** ioredis knows where each command has its keys. */
const keyOf = ({ args, name }: Request): string | Buffer | undefined => {
  if (args.length === 0) return undefined
  const key = new Command(name, args as Array<string | Buffer>).getKeys()[0]
  return typeof key === "string" || Buffer.isBuffer(key) ? key : undefined
}
