// The least that a durable, signed message costs on this stack: Koa, its router, JSON, canonical JSON, two hashes, one
// signature, and as many rows as an island writes (the event, the transaction, the room), in a group commit with
// fsync. No authentication, no rules, no state, no readers, and no index beyond the keys. `bench/send.ts` measures an
// island against it in the same run.
import { createServer } from 'node:http';
import { join } from 'node:path';
import Router from '@koa/router';
import Database from 'better-sqlite3';
import Koa from 'koa';
import { readBody } from '../http/body.ts';
import { encodeBase64 } from '../protocol/base64.ts';
import { canonicalJson } from '../protocol/canonical-json.ts';
import { textHash, textHashUrl } from '../protocol/hashing.ts';
import type { JsonObject } from '../protocol/json.ts';
import { generateSigningKey } from '../protocol/signing.ts';
import { systemRandom } from '../server/runtime.ts';

const [directory = '.'] = process.argv.slice(2);
const database = new Database(join(directory, 'floor.db'));
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec(`
  CREATE TABLE events (nid INTEGER PRIMARY KEY, event_id TEXT UNIQUE, room TEXT, json TEXT);
  CREATE TABLE txns (device TEXT, txn TEXT, event_id TEXT, PRIMARY KEY (device, txn)) WITHOUT ROWID;
  CREATE TABLE rooms (room TEXT PRIMARY KEY, tip TEXT) WITHOUT ROWID;
`);
const insertEvent = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?)');
const insertTxn = database.prepare('INSERT INTO txns VALUES (?, ?, ?)');
const upsertRoom = database.prepare('INSERT OR REPLACE INTO rooms VALUES (?, ?)');

interface Message {
  readonly room: string;
  readonly txn: string;
  readonly eventId: string;
  readonly json: string;
  readonly stored: () => void;
}

const key = generateSigningKey('ed25519:floor', systemRandom);
const tips = new Map<string, string>();
let nid = 0;
let waiting: Message[] = [];

const commit = database.transaction((messages: readonly Message[]) => {
  for (const { room, txn, eventId, json } of messages) {
    nid += 1;
    insertEvent.run(nid, eventId, room, json);
    insertTxn.run('device', txn, eventId);
    upsertRoom.run(room, eventId);
  }
});

function flush(): void {
  const messages = waiting;
  waiting = [];
  commit(messages);
  for (const message of messages) message.stored();
}

function store(room: string, txn: string, content: JsonObject): Promise<string> {
  const prev = tips.get(room) ?? '$none';
  const event = {
    type: 'm.room.message',
    room_id: room,
    sender: '@floor:floor.test',
    content,
    prev_events: [prev],
    auth_events: ['$auth-event-one', '$auth-event-two'],
    depth: nid,
    origin_server_ts: Date.now(),
  };
  const hashes = { sha256: textHash(canonicalJson(event)) };
  const redacted = canonicalJson({ ...event, content: {}, hashes });
  const signatures = { 'floor.test': { [key.keyId]: encodeBase64(key.sign(Buffer.from(redacted))) } };
  const eventId = `$${textHashUrl(redacted)}`;
  tips.set(room, eventId);
  const json = canonicalJson({ ...event, hashes, signatures });
  return new Promise((resolve) => {
    if (waiting.length === 0) setImmediate(flush);
    waiting.push({ room, txn, eventId, json, stored: () => resolve(eventId) });
  });
}

const router = new Router();
router.put('/_matrix/client/v3/rooms/:room/send/:type/:txn', async (ctx) => {
  const content = JSON.parse((await readBody(ctx.req, 65_536)).toString()) as JsonObject;
  const { room = '', txn = '' } = ctx['params'] as Record<string, string>;
  ctx.set('Content-Type', 'application/json');
  ctx.body = JSON.stringify({ event_id: await store(room, `${txn}/${room}`, content) });
});
const app = new Koa();
app.use(router.routes());
const server = createServer(app.callback());
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`listening on ${address.port}\n`);
});
process.once('SIGTERM', () => process.exit(0));
