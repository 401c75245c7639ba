/**
 * Requests that were sent to one server and wait for their answers, oldest first.
 *
 * The requests themselves are the links, so that a place in the queue costs nothing. Each has one place at a time.
 */
import type { Request } from "./request.ts"

export class RequestQueue {
  first: Request | undefined = undefined
  private last: Request | undefined = undefined
  size = 0

  push(request: Request): void {
    if (this.last === undefined) this.first = request
    else this.last.behind = request
    this.last = request
    this.size++
  }

  shift(): Request | undefined {
    const request = this.first
    if (request === undefined) return undefined
    this.first = request.behind
    if (this.first === undefined) this.last = undefined
    request.behind = undefined
    this.size--
    return request
  }
}
