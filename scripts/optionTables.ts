/** The options that each backend adds to those of every pool, from its table. */
import { infosOf } from "../packages/core/src/OptionRules.ts"
import type { OptionInfo } from "../packages/core/src/PoolConfig.ts"
import { optionTable as http } from "../packages/http/src/internal/optionTable.ts"
import { optionTable as postgres } from "../packages/postgres/src/internal/optionTable.ts"
import { optionTable as redis } from "../packages/redis/src/internal/optionTable.ts"
import { optionTable as websocket } from "../packages/websocket/src/internal/optionTable.ts"

export const ownOptions = {
  postgres: infosOf(postgres),
  redis: infosOf(redis),
  http: infosOf(http),
  websocket: infosOf(websocket)
} satisfies Readonly<Record<string, ReadonlyArray<OptionInfo>>>
