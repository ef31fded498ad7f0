// Runs a checkout of the public suite http-tests/cache-tests (npm install done) through vacpack, grades it by the
// suite's own rules, and compares with known.tsv:
//
//   node run.mjs CHECKOUT VACPACK CONFIG SUMMARY [coded]
//
// With "coded" every body is compressed, for a client that decodes (decoding.mjs), and known-coded.tsv counts as well.
// The suite's origin and vacpack listen on ports of the kernel's choice, on loopback. SUMMARY is the file to write.
// Ends with 1 if the outcome is not the known one.

import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { decoding } from './decoding.mjs'

const STARTS_WITHIN = 10_000
// Answered to each dependency that a test waits for, and to the test itself.
const WELL = ['pass', 'yes']

const here = dirname(fileURLToPath(import.meta.url))
const [checkout, vacpack, config, summary] = process.argv.slice(2, 6).map(path => resolve(path))
const [mode] = process.argv.slice(6)
if (summary === undefined || ![undefined, 'coded'].includes(mode)) {
  console.error('usage: node run.mjs CHECKOUT VACPACK CONFIG SUMMARY [coded]')
  process.exit(64)
}
const children = []
const directory = mkdtempSync(join(tmpdir(), 'conformance-'))
process.on('exit', () => {
  children.forEach(child => child.kill('SIGKILL'))
  rmSync(directory, { recursive: true })
})
const suite = path => import(pathToFileURL(join(checkout, path)))

const { default: suites } = await suite('tests/index.mjs')
const origin = await startOrigin()
const [base, admin] = await startVacpack(origin)
const metrics = `http://${admin}/metrics`
const scrape = fetch
const client = mode === 'coded' ? decoding(fetch) : undefined
if (client !== undefined) globalThis.fetch = client.fetch
const { getResults, runTests } = await suite('test-engine/client/runner.mjs')
await runTests(suites, false, `http://${base}`)
const grades = await grade(getResults())
const text = report(grades, client === undefined ? [] : await codings(client))
mkdirSync(dirname(summary), { recursive: true })
writeFileSync(summary, text)
process.stdout.write(text)
const surprises = surprising(grades)
surprises.forEach(surprise => console.error(`conformance: ${surprise}`))
process.exit(surprises.length === 0 ? 0 : 1)

// Runs until this process ends. The first match of `ready` in what it prints is its addresses.
function start (command, args, options, ready) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  children.push(child)
  return new Promise((resolve, reject) => {
    let printed = ''
    const late = setTimeout(() => reject(new Error(`${command} does not listen: ${printed}`)), STARTS_WITHIN)
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`${command} ended with ${code}: ${printed}`)))
    const read = data => {
      // What comes later is only read so that the pipe never fills.
      if (printed === null) return
      printed += data
      const found = ready.exec(printed)
      if (found === null) return
      clearTimeout(late)
      printed = null
      resolve(found.slice(1))
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
  })
}

async function startOrigin () {
  const preload = pathToFileURL(join(here, 'loopback.mjs')).href
  // The names under which npm would hand the suite its settings.
  const settings = { npm_config_protocol: 'http', npm_config_port: '0', npm_config_pidfile: join(directory, 'pid') }
  const server = join(checkout, 'test-engine/server/server.mjs')
  const [address] = await start(process.execPath, ['--no-warnings', '--import', preload, server],
    { cwd: checkout, env: { ...process.env, ...settings } }, /Listening on http:\/\/([\d.]+:\d+)\//)
  return address
}

function startVacpack (upstream) {
  const anywhere = '127.0.0.1:0'
  const args = ['--config', settings(), '--upstream', upstream, '--listen', anywhere, '--admin', anywhere]
  return start(vacpack, args, {}, /"listen":"([^"]+)","admin":"([^"]+)"/)
}

// The configuration; for bodies of any size where they are to be compressed.
function settings () {
  if (mode === undefined) return config
  const path = join(directory, 'coded.toml')
  writeFileSync(path, `${readFileSync(config, 'utf8')}\n[compression]\nmin_size = "0B"\n`)
  return path
}

// What shows that bodies were compressed: what the client saw, and what vacpack counted.
async function codings (client) {
  const text = await (await scrape(metrics)).text()
  const encoded = /^vacpack_compression_ratio_count\{algorithm="br"\} (\d+)$/m.exec(text)?.[1] ?? 0
  return [`with br: ${client.coded} of ${client.responses} responses came coded, of ${encoded} bodies that were encoded`]
}

// One entry a test: its category, kind, grade, and what the suite says about it.
async function grade (results) {
  const { determineTestResult, resultTypes } = await suite('test-engine/lib/results.mjs')
  const names = new Map(Object.entries(resultTypes).map(([name, type]) => [type, name]))
  return suites.flatMap(category => category.tests.map(({ id, kind = 'required' }) => {
    const said = results[id]
    return {
      id,
      kind,
      category: category.id,
      grade: names.get(determineTestResult(suites, id, results)),
      said: Array.isArray(said) ? said.join(': ') : ''
    }
  })).filter(test => test.grade !== 'untested')
}

function known () {
  const files = mode === undefined ? ['known.tsv'] : ['known.tsv', 'known-coded.tsv']
  const lines = files.flatMap(file => readFileSync(join(here, file), 'utf8').split('\n'))
  return new Map(lines.filter(line => line !== '' && !line.startsWith('#')).map(line => line.split('\t')))
}

function surprising (tests) {
  const expected = known()
  const graded = tests.filter(test => test.kind !== 'check')
  const failed = graded.filter(test => !WELL.includes(test.grade) && !expected.has(test.id))
  const passed = graded.filter(test => WELL.includes(test.grade) && expected.has(test.id))
  return [
    ...failed.map(test => `${test.id} (${test.kind}): ${test.grade}: ${test.said}`),
    ...passed.map(test => `${test.id} passes: take it out of known.tsv`)
  ]
}

function report (tests, notes) {
  const commit = execFileSync('git', ['-C', checkout, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
  const version = execFileSync(vacpack, ['--version'], { encoding: 'utf8' }).trim()
  const score = (kind, category) => {
    const those = tests.filter(test => test.kind === kind && (category === undefined || test.category === category))
    const well = those.filter(test => WELL.includes(test.grade)).length
    return those.length === 0 ? '-' : `${well}/${those.length}`
  }
  const row = (name, category) => name.padEnd(20) + ['required', 'optimal', 'check'].map(kind => score(kind, category).padStart(9)).join('')
  const reasons = known()
  const open = tests.filter(test => test.kind !== 'check' && !WELL.includes(test.grade))
  return [
    `http-tests/cache-tests ${commit}, ${version}, node ${process.version}`,
    ...notes,
    '',
    'category             required  optimal    check',
    ...suites.map(category => row(category.id, category.id)),
    row('all'),
    '',
    'Not passed:',
    ...open.map(test => `${test.id} (${test.kind}, ${test.grade})\n    ${test.said}\n    ${reasons.get(test.id) ?? 'NOT KNOWN'}`),
    ''
  ].join('\n')
}
