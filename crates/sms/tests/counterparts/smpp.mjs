// The whole program against a message centre of npm's `smpp`: on SQLite, and on PostgreSQL where RINGBACK_TEST_POSTGRES
// names a server.
import { spawn, spawnSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

const smpp = createRequire(join(process.env.MODULES, 'x'))('smpp')
const scratch = mkdtempSync(join(tmpdir(), 'ringback.'))
const tokenSecret = 'what only the issuer and we may know'
const password = 'pw-5x1'
const running = new Set()

function expect(what, found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) throw new Error(`${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(wanted)}`)
  console.log(`  ${what}`)
}

async function until(what, look, seconds = 40) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) {
    const found = await look()
    if (found) return found
  }
  throw new Error(`waited in vain: ${what}`)
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** A message centre. `act(pdu, session, answer)` says what becomes of a submit. */
async function centre(port) {
  const sessions = new Set()
  const self = { submits: [], answered: [], heard: [], sessions, ids: 0 }
  const answer = (session, pdu, status = 0) => {
    const message_id = status ? '' : String(++self.ids).padStart(10, '0')
    session.send(pdu.response({ command_status: status, message_id }))
    if (!status) self.answered.push(pdu.destination_addr)
    return message_id
  }
  self.usual = (pdu, session) => { self.last = answer(session, pdu) }
  self.act = self.usual
  self.answer = answer
  self.to = number => self.submits.filter(pdu => pdu.destination_addr === number.slice(1))
  self.tell = fields => [...sessions][0].deliver_sm(fields)
  const server = smpp.createServer(session => {
    session.socket.setNoDelay(true)
    session.on('error', () => session.destroy())
    session.on('close', () => sessions.delete(session))
    session.on('bind_transceiver', pdu => {
      const wrong = pdu.system_id !== 'acme' || pdu.password !== password
      session.send(pdu.response({ command_status: wrong ? smpp.ESME_RINVPASWD : 0, system_id: 'smsc' }))
      if (!wrong) sessions.add(session)
    })
    session.on('submit_sm', pdu => {
      pdu.at = Date.now()
      self.submits.push(pdu)
      self.act(pdu, session)
    })
    session.on('enquire_link', pdu => session.send(pdu.response()))
    session.on('unbind', pdu => { session.send(pdu.response()); session.close() })
    session.on('deliver_sm_resp', pdu => self.heard.push(pdu.command_status))
  })
  await new Promise(resolve => server.listen(port, '127.0.0.1', resolve))
  self.stop = () => { sessions.forEach(session => session.destroy()); return new Promise(resolve => server.close(resolve)) }
  return self
}

function token() {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://login.example.com', aud: 'ringback', sub: 'operator', roles: ['IAM_OWNER'], iat: now, exp: now + 3600 }
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${text}.${createHmac('sha256', tokenSecret).update(text).digest('base64url')}`
}

/** A configuration file; `lines` belong to its route. */
function configuration(name, { database, port = 0, smsc, lines = '', secret = password }) {
  const file = join(scratch, `${name}.toml`)
  writeFileSync(file, `
[server]
listen = "127.0.0.1:${port}"
drain_seconds = 0
[database]
url = "${database}"
[secrets]
pseudonym_key = "${Buffer.alloc(32, 9).toString('base64')}"
code_keys.1 = "${Buffer.alloc(32, 7).toString('base64')}"
[auth.issuers.main]
issuer = "https://login.example.com"
audiences = ["ringback"]
algorithms = ["HS256"]
secret = "${tokenSecret}"
[metrics]
listen = ""
[sms.routes.centre]
type = "smpp"
host = "127.0.0.1"
port = ${smsc}
system_id = "acme"
password = "${secret}"
sender = "Acme"
window = 20
timeout_seconds = 3
${lines}`)
  return file
}

// What this script is told is nothing for the program.
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RINGBACK')))

/** A subcommand to its end; the centre answers meanwhile. */
async function ringback(...args) {
  const child = spawn(process.env.RINGBACK, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { said += data })
  const [code] = await once(child, 'close')
  return { code, said }
}

async function serve(file, port) {
  // The library's own log is asked for, too: it would hold texts, codes, numbers and the password.
  const env = { ...environment, RINGBACK_LOG: 'info,ringback=debug,ringback_sms=debug,rusmpp=trace,rusmppc=trace' }
  const child = spawn(process.env.RINGBACK, ['serve', '--config', file], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const self = { log: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { self.log += data })
  self.call = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token()}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text ? JSON.parse(text) : {}
  }
  self.stop = async () => {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
    running.delete(child)
  }
  await until('the program', () => {
    if (child.exitCode !== null) throw new Error(self.log)
    return fetch(`http://127.0.0.1:${port}/readyz`).then(answer => answer.ok, () => false)
  })
  return self
}

let numbers = 0
const number = n => `+4179${String(1000000 + n)}`

async function all(database, kind) {
  console.log(`${kind}:`)
  const [smsc, port] = [await freePort(), await freePort()]
  let at = await centre(smsc)
  const file = configuration(kind, { database, port, smsc })
  const program = await serve(file, port)
  const users = new Map()

  const setPhone = async () => {
    const [user, phone] = [`${kind} ${++numbers}`, number(numbers)]
    users.set(phone, user)
    await program.call('POST', '/v2/users/human', { userId: user })
    await program.call('POST', `/v2/users/${encodeURIComponent(user)}/phone`, { phone })
    return phone
  }
  const message = async phone => {
    const found = await program.call('POST', '/v2/messages/search', { userId: users.get(phone) })
    return found.messages[0]
  }
  const inState = (phone, state) => until(`${phone} ${state}`, async () => {
    const found = await message(phone)
    return found.state === `MESSAGE_STATE_${state}` && found
  })
  // While the line is away, it is said that it is.
  const ended = found => results(found).filter(result => !['not_now', 'skipped'].includes(result))
  const results = found => (found.attempts || []).map(attempt => attempt.result)
  const codes = []
  const text = async phone => {
    const [pdu] = await until('a text', () => at.to(phone).length > 0 && at.to(phone))
    const said = pdu.short_message.message
    codes.push(said.match(/\d{6}/)[0])
    return said
  }

  // One message, from SetPhone to its receipt by parameters.
  const first = await setPhone()
  const code = (await text(first)).match(/\d{6}/)[0]
  const [submit] = at.to(first)
  const wire = pdu => [pdu.esm_class, pdu.data_coding, pdu.registered_delivery, pdu.source_addr, pdu.source_addr_ton,
    pdu.source_addr_npi, pdu.dest_addr_ton, pdu.dest_addr_npi]
  expect('the text is at the centre', wire(submit), [0, 0, 1, 'Acme', 5, 0, 1, 1])
  const handed = await inState(first, 'HANDED')
  expect('no receipt, so it is handed over', handed.route, 'centre')
  at.tell({ esm_class: 4, source_addr: first.slice(1), receipted_message_id: at.last, message_state: 2, short_message: '' })
  await inState(first, 'DELIVERED')
  const { messageId } = await message(first)
  const got = await program.call('GET', `/v2/messages/${messageId}`)
  expect('its receipt makes it delivered', got.message?.state ?? got.state, 'MESSAGE_STATE_DELIVERED')
  const listed = await ringback('messages', '--user', users.get(first), '--config', file)
  expect('`ringback messages` says so', [listed.code, listed.said.includes('delivered code to'), listed.said.includes(first)], [0, true, false])
  await program.call('POST', `/v2/users/${encodeURIComponent(users.get(first))}/phone/verify`, { verificationCode: code })
  expect('the receipt is answered when it is noted', at.heard, [0])

  // A receipt before the answer to the submit; one that says no; both by text.
  at.act = (pdu, session) => {
    const id = String(at.ids + 1).padStart(10, '0')
    session.deliver_sm({ esm_class: 4, short_message: `id:${id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:` })
    setTimeout(() => at.answer(session, pdu), 300)
  }
  const early = await setPhone()
  await inState(early, 'DELIVERED')
  expect('a receipt may come before the answer', (await message(early)).state, 'MESSAGE_STATE_DELIVERED')
  at.act = at.usual
  const lost = await setPhone()
  await inState(lost, 'HANDED')
  at.tell({ esm_class: 4, short_message: `id:${Number(at.last)} stat:UNDELIV err:027 text:` })
  const undelivered = await inState(lost, 'UNDELIVERED')
  expect('a receipt by text says that it did not arrive', results(undelivered).length, 1)

  // STOP and START.
  const heard = at.heard.length
  for (const [word, coding] of [['STOP', 0], ['Стоп', 8], ['start.', 0], ['hello', 0]]) {
    const short_message = coding === 8 ? Buffer.from(word, 'utf16le').swap16() : Buffer.from(word)
    at.tell({ source_addr: first.slice(1), source_addr_ton: 1, source_addr_npi: 1, data_coding: coding, short_message })
  }
  await until('answers', () => at.heard.length === heard + 4)
  const wishes = program.log.split('\n').filter(line => line.includes("a number's owner asks")).map(line => JSON.parse(line))
  expect('STOP and START are heard', wishes.map(line => line.word), ['stop', 'stop', 'start'])

  // A window of 20, of which 17 are answered before the line is dropped.
  const open = []
  at.act = (pdu, session) => {
    open.push(pdu)
    if (open.length < 20) return
    open.splice(0, 17).forEach(pdu => at.answer(session, pdu))
    at.act = at.usual
    const drop = () => session.socket.writableLength === 0 ? session.destroy() : setImmediate(drop)
    drop()
  }
  const window = await Promise.all(Array.from({ length: 20 }, setPhone))
  await Promise.all(window.map(phone => inState(phone, 'HANDED')))
  const unanswered = open.map(pdu => `+${pdu.destination_addr}`).sort()
  expect('20 in a window, 3 without an answer', unanswered.length, 3)
  expect('none is lost', window.filter(phone => at.to(phone).length === 0), [])
  const repeated = window.filter(phone => at.to(phone).length > 1).sort()
  expect('only what had no answer is repeated', repeated.filter(phone => !unanswered.includes(phone)), [])
  for (const phone of unanswered) expect('the trail of a repeat says so', ended(await message(phone)), ['unknown', 'taken'])
  const once20 = window.filter(phone => at.answered.filter(to => to === phone.slice(1)).length === 1)
  expect('each was taken once', once20.length, 20)

  // Too fast. The first pace is half of the busiest second of the last minute, and no less than ten; a bucket holds what
  // one second allows, and seconds are counted from when messages are taken there, not from when they come here.
  const late = Date.now() - 60_000
  const times = at.submits.map(pdu => pdu.at).filter(time => time >= late)
  const busiest = Math.max(0, ...times.map(begin => times.filter(time => time >= begin && time < begin + 1000).length))
  const most = 3 * Math.max(10, busiest / 2)
  let refusals = 1
  const slowly = (pdu, session) => {
    pdu.throttled = refusals > 0
    if (!pdu.throttled) return at.usual(pdu, session)
    refusals -= 1
    at.answer(session, pdu, smpp.ESME_RTHROTTLED)
  }
  at.act = slowly
  await inState(await setPhone(), 'HANDED')
  refusals = 10
  const before = at.submits.length
  const many = await Promise.all(Array.from({ length: 90 }, setPhone))
  await Promise.all(many.map(phone => inState(phone, 'HANDED')))
  const taken = many.map(phone => at.to(phone).filter(pdu => !pdu.throttled).length)
  expect('throttled: nothing is lost and nothing repeated', taken, many.map(() => 1))
  const since = at.submits.slice(before)
  const slow = since[0].at
  const fast = since.filter(pdu => pdu.at < slow + 1000).length
  const span = since.at(-1).at - slow
  console.log(`  (${since.length} submits in ${span} ms, ${fast} in the first second; ${busiest} in the busiest before)`)
  expect('the pace drops', fast <= most && most < many.length, true)

  // No answer at all, then one.
  at.act = () => { at.act = at.usual }
  const silent = await setPhone()
  expect('no answer is unknown, and it is sent again', ended(await inState(silent, 'HANDED')), ['unknown', 'taken'])

  // An empty id: taken, and nothing can be heard of it.
  at.act = (pdu, session) => { session.send(pdu.response({ message_id: '' })); at.act = at.usual }
  const nameless = await inState(await setPhone(), 'HANDED')
  expect('an empty id is taken', results(nameless), ['taken'])

  // The centre goes and comes back.
  await at.stop()
  const waiting = await setPhone()
  await until('an attempt', async () => results(await message(waiting)).includes('not_now'))
  at = await centre(smsc)
  await inState(waiting, 'HANDED')
  expect('a centre that starts again gets what waited', at.to(waiting).length, 1)

  const wrong = await ringback('check', '--config', configuration(`${kind}-wrong`, { database, smsc, secret: 'hunter2' }))
  expect('a wrong password is told', [wrong.code, wrong.said.includes('ESME_RINVPASWD'), wrong.said.includes('hunter2')], [1, true, false])
  expect('and the right one is let in', (await ringback('check', '--config', file)).code, 0)
  await program.stop()
  await until('the goodbye', () => at.sessions.size === 0)
  const secrets = [password, ...users.keys(), ...[...users.keys()].map(phone => phone.slice(1)), ...codes]
  expect('the log holds no number, no code and no password', secrets.filter(secret => program.log.includes(secret)), [])
  await at.stop()
}

try {
  await all(`sqlite:${join(scratch, 'ringback.db')}`, 'SQLite')
  const server = process.env.RINGBACK_TEST_POSTGRES
  if (server) {
    const name = `smpp_${randomBytes(4).toString('hex')}`
    const created = spawnSync('psql', [server, '-c', `CREATE DATABASE ${name}`], { encoding: 'utf8' })
    if (created.status !== 0) throw new Error(`psql: ${created.stderr}${created.error ?? ''}`)
    const url = new URL(server)
    url.pathname = `/${name}`
    await all(url.href, 'PostgreSQL')
  } else {
    console.log('RINGBACK_TEST_POSTGRES names no server: not tried on PostgreSQL')
  }
} finally {
  running.forEach(child => child.kill('SIGKILL'))
  rmSync(scratch, { recursive: true, force: true })
}
process.exit(0)
