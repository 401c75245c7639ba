/** What client and server agree on: two methods, written by hand, so that no .proto file is needed. */
import type { MethodDefinition } from "@grpc/grpc-js"

export interface Question {
  readonly item: string
}

export interface Price {
  readonly item: string
  readonly cents: number
}

const json = {
  serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
  deserialize: (bytes: Buffer) => JSON.parse(bytes.toString())
}

export const quote: MethodDefinition<Question, Price> = {
  path: "/shop.Prices/Quote",
  requestStream: false,
  responseStream: false,
  requestSerialize: json.serialize,
  requestDeserialize: json.deserialize,
  responseSerialize: json.serialize,
  responseDeserialize: json.deserialize
}

/** gRPC's own health check. Its messages are so small that they need no library: field 1 of the answer, 1 if it serves. */
export const check: MethodDefinition<object, boolean> = {
  path: "/grpc.health.v1.Health/Check",
  requestStream: false,
  responseStream: false,
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: () => ({}),
  responseSerialize: (serves) => Buffer.from([8, serves ? 1 : 2]),
  responseDeserialize: (bytes) => bytes[1] === 1
}
