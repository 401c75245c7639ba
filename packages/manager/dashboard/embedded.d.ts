/** The files of the page as a module, which a bundler takes along. Built beside them. */
declare const files: {
  /** By their paths below the page. */
  readonly text: Readonly<Record<string, string>>
  readonly base64: Readonly<Record<string, string>>
}
export default files
