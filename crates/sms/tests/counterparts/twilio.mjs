// Twilio's own description, from npm: what we send is what it describes. And npm's `twilio` signs receipts.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'

const require = createRequire(join(process.env.MODULES, 'x'))
const twilio = require('twilio')
const { Webhook } = require('standardwebhooks')
const scratch = mkdtempSync(join(tmpdir(), 'ringback.'))
const children = []
const account = 'AC0123456789abcdef0123456789abcdef'
const token = '0123456789abcdef0123456789abcdef'
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

function expect(what, found, wanted) {
  if (!isDeepStrictEqual(found, wanted)) throw new Error(`${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(wanted)}`)
  console.log(`  ${what}`)
}

function program(route) {
  const file = join(scratch, `${children.length}.toml`)
  writeFileSync(file, route)
  const child = spawn(process.env.SEND, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async line => {
    child.stdin.write(JSON.stringify(line) + '\n')
    return JSON.parse((await lines.next()).value)
  }
}

const route = base => `[sms.routes.main]
type = "twilio"
account = "${account}"
auth_token = "${token}"
base_url = "${base}"
allow_insecure = true
allow_private = true
`

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** A server that keeps what it is sent. */
async function receiver(status, answer) {
  const came = []
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    came.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() })
    response.writeHead(status).end(answer)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return { came, url: `http://127.0.0.1:${server.address().port}` }
}

async function prism() {
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const modules = process.env.MODULES
  const args = [join(modules, '@stoplight/prism-cli/dist/index.js'), 'mock', '-h', '127.0.0.1', '-p', port,
    join(modules, '@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json')]
  children.push(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }))
  for (let tries = 0; tries < 300; tries++) {
    if (await fetch(base).catch(() => false)) return base
    await new Promise(resolve => setTimeout(resolve, 200))
  }
  throw new Error('Prism does not start')
}

try {
  const message = { to: '+41791234567', text: '123456 – привет', callback: 'https://sms.example.com/sms/receipts/main/dG9rZW4' }
  const forms = { sender: { ...message, sender: '+41790000000' }, service: message }
  const services = { sender: '', service: 'messaging_service = "MG0123456789abcdef0123456789abcdef"\n' }
  const base = await prism()
  for (const name of ['sender', 'service']) {
    const sent = await program(route(base) + services[name])({ send: forms[name] })
    expect(`Prism takes a message by ${name}`, sent.result, 'taken')
    const stub = await receiver(201, '{"sid": "SM1"}')
    await program(route(stub.url) + services[name])({ send: forms[name] })
    const [{ path, headers, body }] = stub.came
    const post = async (change, headed = headers, where = path) => {
      const form = new URLSearchParams(body)
      change(form)
      const { authorization, 'content-type': type } = headed
      const all = { 'content-type': type, ...(authorization && { authorization }) }
      return (await fetch(base + where, { method: 'POST', headers: all, body: form.toString() })).status
    }
    expect('the same post, sent on', await post(() => {}), 201)
    expect('without To', await post(form => form.delete('To')), 422)
    expect('a broken ValidityPeriod', await post(form => form.set('ValidityPeriod', 'abc')), 422)
    expect('a broken StatusCallback', await post(form => form.set('StatusCallback', 'not an address')), 422)
    if (name === 'service') {
      expect('a broken MessagingServiceSid', await post(form => form.set('MessagingServiceSid', 'MG1')), 422)
    }
    expect('without credentials', await post(() => {}, { 'content-type': headers['content-type'] }), 401)
    expect('another account', await post(() => {}, headers, path.replace(account, 'AC1')), 422)
  }
  expect('the check knows the account', await program(route(base))({ check: true }), { error: null })

  const url = 'https://sms.example.com/sms/receipts/main/dG9rZW4'
  const form = { MessageSid: 'SM1', MessageStatus: 'undelivered', ErrorCode: '30006', To: '+41791234567' }
  const signature = twilio.getExpectedTwilioSignature(token, url, form)
  const read = program(route(base))
  const receipt = (form, signature) => ({
    receipt: { method: 'POST', url, headers: { 'x-twilio-signature': signature }, body: new URLSearchParams(form).toString() }
  })
  expect("a receipt that npm's twilio signs", (await read(receipt(form, signature))).arrival, 'undelivered')
  const changed = await read(receipt({ ...form, MessageStatus: 'delivered' }, signature))
  expect('a changed one', /signature/.test(changed.error), true)

  const inbound = 'https://sms.example.com/sms/inbound/main'
  const stop = { MessageSid: 'SM2', From: '+41791234567', To: '+41790000000', Body: 'STOP', OptOutType: 'STOP' }
  const written = (form, signature) => {
    const { receipt: request } = receipt(form, signature)
    return { inbound: { ...request, url: inbound } }
  }
  const word = twilio.getExpectedTwilioSignature(token, inbound, stop)
  expect("a STOP that npm's twilio signs", await read(written(stop, word)), { keyword: 'stop', from: '+41791234567' })
  const other = await read(written({ ...stop, OptOutType: 'START' }, word))
  expect('a changed one', /signature/.test(other.error), true)

  const stub = await receiver(204, '')
  const webhook = `[sms.routes.main]\ntype = "webhook"\nurl = "${stub.url}/sms"\nsecrets = ["${secret}"]\nreceipts = true\n`
  const posting = program(webhook)
  expect('a webhook is posted', (await posting({ send: message })).result, 'taken')
  const [{ headers, body }] = stub.came
  expect('and standardwebhooks believes it', new Webhook(secret).verify(body, headers).to, message.to)
  let refused = false
  try { new Webhook(secret).verify(body + ' ', headers) } catch { refused = true }
  expect('but not a changed one', refused, true)
  const event = JSON.stringify({ type: 'phone.verified', data: { userId: 'änn' } })
  expect('an event is posted', (await posting({ post: { id: 'e1', body: event } })).taken, true)
  const posted = stub.came.at(-1)
  expect('and standardwebhooks believes it', new Webhook(secret).verify(posted.body, posted.headers).type, 'phone.verified')
  const told = '{"result":"delivered"}'
  const at = new Date()
  const signed = new Webhook(secret).sign('m1', at, told)
  const own = { 'webhook-id': 'm1', 'webhook-timestamp': String(Math.floor(at / 1000)), 'webhook-signature': signed }
  const answer = body => posting({ receipt: { method: 'POST', url, headers: own, body } })
  expect('a receipt that standardwebhooks signs', (await answer(told)).arrival, 'delivered')
  expect('a changed one', /signature/.test((await answer('{"result":"taken"}')).error), true)
} finally {
  for (const child of children) child.kill()
  rmSync(scratch, { recursive: true })
}
