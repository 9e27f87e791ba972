// Holds schemas and AsyncAPI documents to validators that others wrote.
//
// stdin: {"schemas": {name: schema}, "cases": [{"schema": name, "message": value}], "asyncapi": [text]}
// stdout: {"cases": [null | what is wrong], "asyncapi": [[what is wrong]]}
// The one argument is the folder of node_modules.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const require = createRequire(join(process.argv[2], 'node_modules', 'x.js'))
const { schemas, cases, asyncapi } = JSON.parse(readFileSync(0, 'utf8'))

const Ajv = require('ajv/dist/2020').default
const options = { strict: true, strictTypes: false, allErrors: true, formats: { 'date-time': true } }
const compiled = Object.fromEntries(
  Object.entries(schemas).map(([name, schema]) => [name, new Ajv(options).compile(schema)]),
)
const wrong = ({ schema, message }) => {
  const valid = compiled[schema]
  return valid(message) ? null : new Ajv().errorsText(valid.errors)
}

const { Parser } = require('@asyncapi/parser')
const documents = []
for (const text of asyncapi) {
  const { document, diagnostics } = await new Parser().parse(text)
  const bad = diagnostics.filter((found) => found.severity <= 1)
  const said = bad.map((found) => `${found.path.join('.')}: ${found.message}`)
  documents.push(document || said.length ? said : ['no document'])
}

console.log(JSON.stringify({ cases: cases.map(wrong), asyncapi: documents }))
