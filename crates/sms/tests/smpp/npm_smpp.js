// A message centre of the npm package smpp: says what it gets and does what it is told, one JSON object a line.
//
//   node npm_smpp.js PORT [KEY CERTIFICATE]     with both, over TLS; PORT may be 0
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const smpp = require(path.join(process.env.RINGBACK_TEST_SMSC, 'node_modules', 'smpp'));

const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const sessions = new Set();
// What becomes of the next submits, in order; then what becomes of all others, and of binds.
let next = [];
let rest = {};
let bind = {};
let ids = 0;

// What the package read, with headers of parts as hexadecimal digits.
function plain(pdu) {
  const seen = { ...pdu };
  for (const key of ['short_message', 'message_payload']) {
    if (pdu[key] === undefined) continue;
    seen[key] = pdu[key].message === undefined ? String(pdu[key]) : pdu[key].message;
    if (pdu[key].udh) seen.udh = pdu[key].udh.map((part) => Buffer.from(part).toString('hex'));
  }
  return seen;
}

// Ends the line as soon as what was answered before is on its way.
function drop(session) {
  session.dropped = true;
  if (session.socket.writableLength === 0) session.destroy();
  else setImmediate(() => drop(session));
}

function submitted(session, pdu) {
  say({ submit: plain(pdu) });
  if (session.dropped) return;
  const act = next.length > 0 ? next.shift() : rest;
  if (act.drop) {
    drop(session);
  } else if (act.nack !== undefined) {
    session.generic_nack({ sequence_number: pdu.sequence_number, command_status: act.nack });
  } else if (act.bare !== undefined) {
    // Without a body, as SMPP 3.4 has it beside an error.
    const answer = Buffer.alloc(16);
    [16, 0x80000004, act.bare, pdu.sequence_number].forEach((word, at) => answer.writeUInt32BE(word, 4 * at));
    session.socket.write(answer);
  } else if (act.raw !== undefined) {
    // With these bytes as its body.
    const answer = Buffer.concat([Buffer.alloc(16), Buffer.from(act.raw, 'hex')]);
    [answer.length, 0x80000004, 0, pdu.sequence_number].forEach((word, at) => answer.writeUInt32BE(word, 4 * at));
    session.socket.write(answer);
  } else if (!act.silent) {
    ids += 1;
    const message_id = act.id === undefined ? String(ids) : act.id;
    session.send(pdu.response({ command_status: act.status || 0, message_id }));
  }
}

function serve(session) {
  const bound = (pdu) => {
    say({ bind: plain(pdu) });
    const command_status = bind.status || (pdu.password === 'secret' ? 0 : smpp.ESME_RINVPASWD);
    session.send(pdu.response({ command_status, system_id: 'smsc' }));
    if (command_status === 0) sessions.add(session);
  };
  // Without, small answers wait for one another, and are lost with a line that is dropped.
  session.socket.setNoDelay(true);
  session.on('error', () => session.destroy());
  session.on('close', () => sessions.delete(session));
  session.on('bind_transceiver', bound);
  session.on('bind_transmitter', bound);
  session.on('enquire_link', (pdu) => {
    say({ enquire_link: true });
    if (!rest.deaf) session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    say({ unbind: true });
    session.send(pdu.response());
    session.close();
  });
  session.on('unbind_resp', () => say({ unbind_resp: true }));
  session.on('submit_sm', (pdu) => submitted(session, pdu));
  session.on('deliver_sm_resp', (pdu) => say({ deliver_resp: pdu.command_status }));
  session.on('generic_nack', (pdu) => say({ nack: pdu.command_status }));
}

const commands = {
  next: (acts) => { next = next.concat(acts); },
  rest: (act) => { rest = act; },
  bind: (act) => { bind = act; },
  // To one session, so many times.
  deliver: ({ times, ...fields }) => {
    const [session] = sessions;
    for (let n = 0; n < (times || 1); n += 1) session.deliver_sm(fields);
  },
  bytes: (hex) => sessions.forEach((session) => session.socket.write(Buffer.from(hex, 'hex'))),
  unbind: () => sessions.forEach((session) => session.unbind()),
};

const [port, key, cert] = process.argv.slice(2);
const options = key === undefined ? {} : { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
const server = smpp.createServer(options, serve);
server.listen(Number(port), '127.0.0.1', () => say({ port: server.address().port }));
readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    Object.entries(JSON.parse(line)).forEach(([name, value]) => commands[name](value));
    say({ done: true });
  })
  // Whoever started it is gone.
  .on('close', () => process.exit(0));
