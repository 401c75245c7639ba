/** Lint rules of this repository, for what no rule of oxlint says. Switched on in .oxlintrc.json. */

interface Node {
  readonly callee?: { readonly type: string; readonly name?: string }
}

interface Context {
  readonly report: (problem: { readonly node: Node; readonly message: string }) => void
}

const noTry = {
  create: (context: Context) => ({
    TryStatement: (node: Node) =>
      context.report({
        node,
        message: "No try/catch in a library: use Effect.try, Effect.catch or Effect.acquireRelease."
      })
  })
}

const noNewDate = {
  create: (context: Context) => ({
    NewExpression: (node: Node) => {
      if (node.callee?.type === "Identifier" && node.callee.name === "Date") {
        context.report({ node, message: "Time comes from Clock: use Clock or DateTime." })
      }
    }
  })
}

export default {
  meta: { name: "effect-pools" },
  rules: { "no-try": noTry, "no-new-date": noNewDate }
}
