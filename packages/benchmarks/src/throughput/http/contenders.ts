/** Clients that ask for a small JSON document and read it. */
import { HttpPool } from "@effect-pools/http"
import { NodeHttpClient } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import { Agent, fetch, Pool } from "undici"
import { bareClient, effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"
import { pathOf } from "./data.ts"

class Api extends HttpPool.Service<Api>()("bench/Api") {}

const ours: Contender<unknown> = {
  name: "effect-pools",
  isOurs: true,
  connections: poolSize,
  open: (origin) =>
    effectClient(
      Api.layerPoolOnly({ origin, minConnections: poolSize, maxConnections: poolSize }),
      (i) => Effect.flatMap(Api.get(pathOf(i)), (response) => response.json)
    )
}

// By default undici closes connections that rest for 4 s, which they do here while others are timed.
const options = { connections: poolSize, keepAliveTimeout: 60_000 }

const undiciPool: Contender<unknown> = {
  name: "undici Pool",
  isOurs: false,
  connections: poolSize,
  async open(origin) {
    const pool = new Pool(origin, options)
    const get = async (i: number) => {
      const { body } = await pool.request({ method: "GET", path: pathOf(i) })
      return body.json()
    }
    return bareClient(get, () => pool.close())
  }
}

/** Node's own `fetch` is the same code of another version, but opens as many connections as there are callers. */
const undiciFetch: Contender<unknown> = {
  name: "undici fetch",
  isOurs: false,
  connections: poolSize,
  async open(origin) {
    const dispatcher = new Agent(options)
    const get = async (i: number) => {
      const response = await fetch(origin + pathOf(i), { dispatcher })
      return response.json()
    }
    return bareClient(get, () => dispatcher.close())
  }
}

const platformNode: Contender<unknown> = {
  name: "HttpClient of Effect",
  isOurs: false,
  connections: poolSize,
  open: (origin) =>
    effectClient(
      NodeHttpClient.layerUndiciOptions(options),
      (i) => Effect.flatMap(HttpClient.get(origin + pathOf(i)), (response) => response.json)
    )
}

export const httpContenders: ReadonlyArray<Contender<unknown>> = [
  ours,
  undiciPool,
  undiciFetch,
  platformNode
]
