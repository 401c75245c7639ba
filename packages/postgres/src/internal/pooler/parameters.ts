/**
 * The settings that PgBouncer keeps for each of its clients, and gives to whichever server connection serves them.
 */
export const tracked: ReadonlySet<string> = new Set([
  "application_name",
  "client_encoding",
  "datestyle",
  "standard_conforming_strings",
  "timezone"
])
