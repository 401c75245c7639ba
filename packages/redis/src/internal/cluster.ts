/**
 * Carries requests to the nodes of a cluster.
 *
 * The slots' owners are asked for at the dial, after a redirection and when a node serves no more; a redirection itself is
 * followed at once. What has no key goes to one primary, the home, as long as it is one.
 */
import * as Effect from "effect/Effect"
import { Command } from "ioredis"
import type { RawReply } from "../RedisCommand.ts"
import { RedisError, TooManyRedirections } from "../RedisError.ts"
import { type ClusterMap, counts, type Redirection } from "./clusterMap.ts"
import type { Node } from "./node.ts"
import { Places, type PlacesParts } from "./places.ts"
import { type OnDone, Request } from "./request.ts"
import type { Carrier } from "./session.ts"
import type { Address, Opened } from "./settings.ts"
import { slotOf } from "./slot.ts"

interface ClusterParts extends PlacesParts {
  readonly map: ClusterMap
  readonly maxRedirections: number
  /** Those that the options name: they are asked when nobody else knows. */
  readonly named: ReadonlyArray<Address>
}

export class Cluster implements Carrier {
  private readonly parts: ClusterParts
  private readonly map: ClusterMap
  private readonly places: Places
  /** The sockets that listen: a server takes hardly any command on those. */
  private readonly ears: Places
  private home: Address
  /** Those who wait for a map, while somebody is asked for one. */
  private asking: Array<() => void> | undefined
  private ended: Error | undefined = undefined

  constructor(parts: ClusterParts, home: Address, opened: Opened<Node>) {
    this.parts = parts
    this.map = parts.map
    this.home = home
    // The listener and the asker are lost together, when neither is left.
    const onEmpty = (cause: Error) => {
      if (this.places.isEmpty && this.ears.isEmpty) parts.onEmpty(cause)
    }
    // Its replica may take over, of which the others hear.
    this.places = new Places({ ...parts, onEmpty, onLeft: () => this.askConnected() })
    this.ears = new Places({ ...parts, onEmpty })
    this.places.add(home, opened)
  }

  primaries(): ReadonlyArray<Address> {
    return this.map.primaries
  }

  /** The socket that the connection began with has ended. */
  lost(node: Node, cause: Error): void {
    this.places.lost(node, cause)
  }

  send(request: Request): void {
    this.sendAt(this.placeOf(request), request)
  }

  sendTo(request: Request, primary: Address): void {
    this.sendAt(primary, request)
  }

  /** All go where the first key belongs: the server refuses what belongs elsewhere. */
  sendTogether(requests: ReadonlyArray<Request>): void {
    const keyed = requests.find((request) => keyOf(request) !== undefined)
    this.places.with(keyed === undefined ? this.homeNow() : this.placeOf(keyed), (node, error) => {
      if (node === undefined) this.askAgain()
      for (const request of requests) {
        if (node === undefined) request.reject(error)
        else {
          request.onRedirection = (error) => this.note(error, node)
          node.send(request)
        }
      }
    })
  }

  unsent(): number {
    return this.places.unsent() + this.ears.unsent()
  }

  destroy(cause: Error): void {
    this.end(cause)
    this.places.destroy(cause)
    this.ears.destroy(cause)
  }

  /** Opens no more sockets, and tells those who wait for one. Sockets that are open say goodbye by themselves. */
  end(cause: Error): void {
    this.ended ??= cause
    this.places.end(cause)
    this.ears.end(cause)
  }

  listener(shardedChannel: string | undefined): Effect.Effect<Node, unknown> {
    return Effect.suspend(() => {
      const owner = shardedChannel === undefined ? undefined : this.map.ownerOf(slotOf(shardedChannel))
      return nodeAt(this.ears, owner ?? this.homeNow())
    })
  }

  redirected(error: unknown, by: Node): boolean {
    const to = this.map.redirection(error, by.address)
    if (to?._tag !== "MOVED") return false
    this.moved(to)
    return true
  }

  counts(node: Node | undefined): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const address = node === undefined ? this.homeNow() : this.ears.addressOf(node)
      return address === undefined ? Effect.succeed(true) : this.countsAt(address)
    })
  }

  /** Asks a node itself and another: one that was reset knows of nobody, and one that was forgotten does not know it. */
  private countsAt(address: Address): Effect.Effect<boolean> {
    const call = (address: Address, what: string) =>
      Effect.flatMap(nodeAt(this.places, address), (node) => node.call("CLUSTER", what))
    return Effect.gen({ self: this }, function*() {
      if (this.map.read(yield* call(address, "SLOTS"), address).size === 0) return false
      const id = this.map.idOf(address)
      const others = this.map.primaries.filter((primary) => this.map.idOf(primary) !== id)
      const other = others.find((primary) => this.places.at(primary) !== undefined) ?? others[0]
      return id === undefined || other === undefined || counts(yield* call(other, "NODES"), id)
    }).pipe(
      // A node that can't be asked, refuses or hangs says nothing against it.
      Effect.timeout(answerLimit),
      Effect.orElseSucceed(() => true)
    )
  }

  private placeOf(request: Request): Address {
    const key = keyOf(request)
    return (key === undefined ? undefined : this.map.ownerOf(slotOf(key))) ?? this.homeNow()
  }

  /** Another primary takes its place when it is none any more, one that is connected if there is any. */
  private homeNow(): Address {
    if (this.map.isPrimary(this.home)) return this.home
    const { primaries } = this.map
    return this.home = primaries.find((primary) => this.places.at(primary) !== undefined) ?? primaries[0] ?? this.home
  }

  private sendAt(address: Address, request: Request, isAsked = false): void {
    this.places.with(address, (node, error) => {
      if (node === undefined) {
        // Its replica may have taken over.
        this.askAgain()
        return request.reject(error)
      }
      if (isAsked) node.send(new Request("ASKING", [], ignore))
      request.onRedirection = (error) => this.follow(error, node, request)
      node.send(request)
    })
  }

  private follow(error: unknown, node: Node, request: Request): boolean {
    if (this.ended !== undefined) return false
    const to = this.map.redirection(error, node.address)
    if (to !== undefined) {
      if (to._tag === "MOVED") this.moved(to)
      this.again(request, () => this.sendAt(to.address, request, to._tag === "ASK"))
      return true
    }
    if (!servesNot(error)) return false
    // It was not carried out. Another node may know who serves it by now.
    this.askAgain(undefined, node, () => {
      const place = this.placeOf(request)
      if (this.ended !== undefined || this.places.at(place) === node) request.fail(error)
      else this.again(request, () => this.sendAt(place, request))
    })
    return true
  }

  private again(request: Request, send: () => void): void {
    const { maxRedirections } = this.parts
    if (request.redirections >= maxRedirections) {
      const reason = new TooManyRedirections({ redirections: maxRedirections })
      request.fail(new RedisError({ command: request.name, reason }))
    } else {
      request.redirections++
      send()
    }
  }

  /** Learns from the refusal of what can't be sent on. */
  private note(error: unknown, node: Node): false {
    if (!this.redirected(error, node) && servesNot(error)) this.askAgain(undefined, node)
    return false
  }

  private moved({ address, slot }: Redirection): void {
    this.map.moved(slot, address)
    this.askAgain(address)
  }

  /**
   * Has the map renewed: others may have moved as well. However many redirections come, one question is on its way at a
   * time. `first` is asked before the others, and `not` is not asked.
   */
  private askAgain(first?: Address, not?: Node, then: () => void = ignore): void {
    if (this.ended !== undefined) return then()
    if (this.asking !== undefined) return void this.asking.push(then)
    this.asking = [then]
    const { named } = this.parts
    const all = [...(first === undefined ? [] : [first]), ...this.connected(), ...this.map.primaries, ...named]
    this.ask(all, not)
  }

  private askConnected(): void {
    if (this.ended !== undefined || this.asking !== undefined) return
    this.asking = []
    this.ask(this.connected(), undefined)
  }

  private connected(): ReadonlyArray<Address> {
    return this.map.primaries.filter((primary) => this.places.at(primary) !== undefined)
  }

  /** Asks one after the other, until one knows. */
  private ask([address, ...others]: ReadonlyArray<Address>, not: Node | undefined): void {
    if (address === undefined) return this.asked()
    this.places.with(address, (node) => {
      if (this.ended !== undefined) return this.asked()
      if (node === undefined || node === not) return this.ask(others, not)
      const done: OnDone = (_, reply: RawReply, error) => {
        if (error === undefined && this.map.read(reply, node.address).size > 0) this.asked()
        else this.ask(others, not)
      }
      node.send(new Request("CLUSTER", ["SLOTS"], done))
    })
  }

  private asked(): void {
    const waiting = this.asking ?? []
    this.asking = undefined
    for (const then of waiting) then()
  }
}

const ignore = (): void => {}

/** The trouble of one node must not look like that of another. */
const answerLimit = "500 millis"

const nodeAt = (places: Places, address: Address): Effect.Effect<Node, unknown> =>
  Effect.callback((resume) =>
    places.with(address, (node, error) => resume(node === undefined ? Effect.fail(error) : Effect.succeed(node)))
  )

/** The node has left the cluster, is cut off from it, or has become a replica, which takes no writes. */
const servesNot = (error: unknown): boolean => error instanceof Error && /^(CLUSTERDOWN|READONLY) /.test(error.message)

/** ioredis knows where each command has its keys. */
const keyOf = ({ args, name }: Request): string | Buffer | undefined => {
  if (args.length === 0) return undefined
  const key = new Command(name, args as Array<string | Buffer>).getKeys()[0]
  return typeof key === "string" || Buffer.isBuffer(key) ? key : undefined
}
