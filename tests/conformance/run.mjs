// Runs a checkout of the public suite http-tests/cache-tests (npm install done) through vacpack, grades it by the
// suite's own rules, and compares with known.tsv:
//
//   node run.mjs CHECKOUT VACPACK CONFIG SUMMARY
//
// The suite's origin and vacpack listen on ports of the kernel's choice, on loopback. SUMMARY is the file to write.
// Ends with 1 if the outcome is not the known one.

import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const STARTS_WITHIN = 10_000
// Answered to each dependency that a test waits for, and to the test itself.
const WELL = ['pass', 'yes']

const here = dirname(fileURLToPath(import.meta.url))
const [checkout, vacpack, config, summary] = process.argv.slice(2).map(path => resolve(path))
if (summary === undefined) {
  console.error('usage: node run.mjs CHECKOUT VACPACK CONFIG SUMMARY')
  process.exit(64)
}
const children = []
process.on('exit', () => children.forEach(child => child.kill('SIGKILL')))
const suite = path => import(pathToFileURL(join(checkout, path)))

const { default: suites } = await suite('tests/index.mjs')
const origin = await startOrigin()
const base = await startVacpack(origin)
const { getResults, runTests } = await suite('test-engine/client/runner.mjs')
await runTests(suites, false, `http://${base}`)
const grades = await grade(getResults())
const text = report(grades)
mkdirSync(dirname(summary), { recursive: true })
writeFileSync(summary, text)
process.stdout.write(text)
const surprises = surprising(grades)
surprises.forEach(surprise => console.error(`conformance: ${surprise}`))
process.exit(surprises.length === 0 ? 0 : 1)

// Runs until this process ends. The first match of `ready` in what it prints is its address.
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
      resolve(found[1])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
  })
}

function startOrigin () {
  const preload = pathToFileURL(join(here, 'loopback.mjs')).href
  // The names under which npm would hand the suite its settings.
  const settings = { npm_config_protocol: 'http', npm_config_port: '0', npm_config_pidfile: join(tmpdir(), `cache-tests-${process.pid}.pid`) }
  const server = join(checkout, 'test-engine/server/server.mjs')
  return start(process.execPath, ['--no-warnings', '--import', preload, server],
    { cwd: checkout, env: { ...process.env, ...settings } }, /Listening on http:\/\/([\d.]+:\d+)\//)
}

function startVacpack (upstream) {
  const anywhere = '127.0.0.1:0'
  const args = ['--config', config, '--upstream', upstream, '--listen', anywhere, '--admin', anywhere]
  return start(vacpack, args, {}, /"listen":"([^"]+)"/)
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
  const lines = readFileSync(join(here, 'known.tsv'), 'utf8').split('\n')
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

function report (tests) {
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
