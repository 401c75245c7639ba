/** The text of a header: one line, in the characters that HTTP/1.1 carries. */
export const isHeaderValue = (value: unknown): boolean =>
  typeof value === "string" && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
