declare module "parse-prometheus-text-format" {
  interface Family {
    readonly name: string
    readonly type: string
    readonly metrics: ReadonlyArray<{
      readonly value?: string
      readonly buckets?: Readonly<Record<string, string>>
      readonly labels?: Readonly<Record<string, string>>
    }>
  }
  const parse: (text: string) => ReadonlyArray<Family>
  export default parse
}
