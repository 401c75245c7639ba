/** Clients that ask for a JSON document and read it. */
import { HttpPool } from "@effect-pools/http"
import { TestCertificate } from "@effect-pools/testing"
import { NodeHttpClient } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import { connect } from "node:http2"
import { Agent, fetch, Pool } from "undici"
import { bareClient, effectClient } from "../client.ts"
import { type Contender, poolSize } from "../workload.ts"

class Api extends HttpPool.Service<Api>()("bench/Api") {}

type PathOf = (i: number) => string

const tls = { ca: TestCertificate.certificate }

const ours = (pathOf: PathOf): Contender<unknown> => ({
  name: "effect-pools",
  isOurs: true,
  connections: poolSize,
  open: (origin) =>
    effectClient(
      Api.layerPoolOnly({
        origin,
        minConnections: poolSize,
        maxConnections: poolSize,
        ...(origin.startsWith("https:") ? { tls } : {})
      }),
      (i) => Effect.flatMap(Api.get(pathOf(i)), (response) => response.json)
    )
})

/** Opens HTTP/2 connections as they are needed: one carries many requests. */
const oursOfStreams = (pathOf: PathOf): Contender<unknown> => ({
  ...ours(pathOf),
  open: (origin) =>
    effectClient(
      Api.layerPoolOnly({ origin, minConnections: 1, maxConnections: poolSize, tls }),
      (i) => Effect.flatMap(Api.get(pathOf(i)), (response) => response.json)
    )
})

// By default undici closes connections that rest for 4 s, which they do here while others are timed.
const options = { connections: poolSize, keepAliveTimeout: 60_000 }

const undiciPool = (pathOf: PathOf): Contender<unknown> => ({
  name: "undici Pool",
  isOurs: false,
  connections: poolSize,
  async open(origin) {
    const pool = new Pool(origin, { ...options, allowH2: false, connect: tls })
    const get = async (i: number) => {
      const { body } = await pool.request({ method: "GET", path: pathOf(i) })
      return body.json()
    }
    return bareClient(get, () => pool.close())
  }
})

/** Node's own `fetch` is the same code of another version, but opens as many connections as there are callers. */
const undiciFetch = (pathOf: PathOf): Contender<unknown> => ({
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
})

const platformNode = (pathOf: PathOf): Contender<unknown> => ({
  name: "HttpClient of Effect",
  isOurs: false,
  connections: poolSize,
  open: (origin) =>
    effectClient(
      NodeHttpClient.layerUndiciOptions(options),
      (i) => Effect.flatMap(HttpClient.get(origin + pathOf(i)), (response) => response.json)
    )
})

/** One connection, with as many streams on it as there are callers. */
const undiciHttp2 = (pathOf: PathOf): Contender<unknown> => ({
  name: "undici Pool HTTP/2",
  isOurs: false,
  connections: poolSize,
  async open(origin) {
    const pool = new Pool(origin, { ...options, allowH2: true, pipelining: 100, connections: 1, connect: tls })
    const get = async (i: number) => {
      const { body } = await pool.request({ method: "GET", path: pathOf(i) })
      return body.json()
    }
    return bareClient(get, () => pool.close())
  }
})

const nodeHttp2 = (pathOf: PathOf): Contender<unknown> => ({
  name: "node:http2",
  isOurs: false,
  connections: 1,
  async open(origin) {
    const session = connect(origin, tls)
    const get = (i: number) =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ":path": pathOf(i) })
        let text = ""
        let status = 0
        stream.setEncoding("utf8")
        stream.on("response", (headers) => (status = Number(headers[":status"])))
        stream.on("data", (chunk: string) => (text += chunk))
        stream.on("end", () => status === 200 ? resolve(JSON.parse(text)) : reject(new Error(`status ${status}`)))
        stream.on("error", reject)
      })
    return bareClient(get, () => new Promise<void>((resolve) => session.close(resolve)))
  }
})

export const contendersFor = (pathOf: PathOf): ReadonlyArray<Contender<unknown>> => [
  ours(pathOf),
  undiciPool(pathOf),
  undiciFetch(pathOf),
  platformNode(pathOf)
]

export const contendersWithTls = (pathOf: PathOf): ReadonlyArray<Contender<unknown>> => [
  ours(pathOf),
  undiciPool(pathOf)
]

export const contendersOfHttp2 = (pathOf: PathOf): ReadonlyArray<Contender<unknown>> => [
  oursOfStreams(pathOf),
  undiciHttp2(pathOf),
  nodeHttp2(pathOf)
]
