// `npm run demo`: two companies, one room, one link, and a power cut in the middle.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoIsland } from './island.ts';
import { type Event, Person } from './person.ts';

const password = 'demo-password';
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

// Listened to until the very end: a second Ctrl-C must not leave processes and files behind.
const stop = new AbortController();
const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

const folder = await mkdtemp(join(tmpdir(), 'archipelago-demo-'));
const islands: DemoIsland[] = [];
try {
  const [acme, bolt] = await demo();
  if (!process.argv.includes('--once')) await untilStopped(acme, bolt);
} catch (error) {
  // Ctrl-C reaches the islands too, and what was under way fails.
  if (!stop.signal.aborted)
    say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await Promise.all(islands.map((island) => island.stop()));
  await rm(folder, { recursive: true, force: true });
}

async function demo(): Promise<[acme: DemoIsland, bolt: DemoIsland]> {
  say('Two companies, each with an island of its own:');
  const [acme, bolt] = await Promise.all([
    island('acme.localhost', 'alice'),
    island('bolt.localhost', 'bob'),
  ]);
  for (const [made, user] of logins(acme, bolt))
    say(`  ${made.serverName} at ${made.url} (user ${user}, password ${password})`);

  say(
    '\nThey do not know each other yet, so nothing passes. Each admin sends the other a card (a text file):',
  );
  await exchangeCards(acme, bolt);
  await exchangeCards(bolt, acme);

  const alice = await Person.logIn(acme.url, 'alice', password);
  const bob = await Person.logIn(bolt.url, 'bob', password);
  const roomId = await alice.createRoom('Order 4711');
  await alice.invite(roomId, bob.userId);
  await bob.join(roomId);
  say(`\n${alice.userId} made a room and invited ${bob.userId}, who joined over the link:\n  ${roomId}`);

  const before = ['When can you deliver?', 'Thursday, if the ferry sails.'];
  const question = await alice.say(roomId, before[0] ?? '', 'demo-1');
  await bob.sees(roomId, before.slice(0, 1));
  const reply = await bob.say(roomId, before[1] ?? '', 'demo-2');
  await Promise.all([alice.sees(roomId, before), bob.sees(roomId, before)]);
  say(
    '\nThey talk. Every event is hashed, and signed by the server of whoever sent it; this is what Bolt holds:',
  );
  const events = await bob.signedEvents(roomId);
  show(question, events.get(before[0] ?? ''));
  show(reply, events.get(before[1] ?? ''));

  say(
    '\nNow the power fails at Bolt (kill -9). Alice goes on writing; her island answers and keeps it for Bolt:',
  );
  await bolt.kill();
  const meanwhile = ['Thursday is fine.', 'Please send the papers to the harbour office.', 'Are you there?'];
  for (const [index, text] of meanwhile.entries()) {
    const eventId = await alice.say(roomId, text, `demo-meanwhile-${index}`);
    say(`  ${alice.userId}: ${text}\n    ${eventId}`);
  }
  say(`  Acme keeps ${await queueOf(acme)} events for Bolt, on disk.`);

  await bolt.start();
  await bob.sees(roomId, [...before, ...meanwhile]);
  say('\nBolt has power again. The link came back by itself, and this is the room as Bob sees it:');
  await bob.say(roomId, 'Here again, and I have read everything.', 'demo-3');
  const all = [...before, ...meanwhile, 'Here again, and I have read everything.'];
  await Promise.all([alice.sees(roomId, all), bob.sees(roomId, all)]);
  const [a, b] = await Promise.all([alice.messages(roomId), bob.messages(roomId)]);
  for (const { eventId, sender, text } of b) say(`  ${sender}: ${text}\n    ${eventId}`);
  const ids = (messages: typeof a): string =>
    messages
      .map(({ eventId }) => eventId)
      .sort()
      .join();
  if (a.length !== all.length || ids(a) !== ids(b)) throw new Error('The two sides differ');
  say(`\nBoth sides hold the same ${all.length} messages, each once: nothing was lost.`);
  return [acme, bolt];
}

function logins(acme: DemoIsland, bolt: DemoIsland): [DemoIsland, string][] {
  return [
    [acme, 'alice'],
    [bolt, 'bob'],
  ];
}

async function island(serverName: string, localpart: string): Promise<DemoIsland> {
  const made = await DemoIsland.create(serverName, join(folder, serverName));
  islands.push(made);
  await made.start();
  await made.command('user', 'add', localpart, '--password', password);
  return made;
}

/** Gives the card of `from` to `to`, as two admins would by mail. */
async function exchangeCards(from: DemoIsland, to: DemoIsland): Promise<void> {
  const file = join(folder, `${from.serverName}.card`);
  await writeFile(file, await from.command('partner', 'card'));
  await to.command('partner', 'add', file, '--yes');
  say(`  ${to.serverName} added ${from.serverName}`);
}

function show(eventId: string, event: Event | undefined): void {
  if (event === undefined) throw new Error(`${eventId} is not there`);
  say(`  ${event.sender}: ${event.content.body}`);
  say(`    event         ${eventId}`);
  say(`    content hash  ${event.hashes.sha256}`);
  for (const [server, keys] of Object.entries(event.signatures))
    for (const [keyId, signature] of Object.entries(keys))
      say(`    signed by     ${server} (${keyId})\n                  ${signature}`);
}

async function queueOf(island: DemoIsland): Promise<number> {
  const partners = JSON.parse(await island.command('partner', 'list', '--json')) as {
    outbox: { pdu: number };
  }[];
  return partners.reduce((sum, partner) => sum + partner.outbox.pdu, 0);
}

async function untilStopped(acme: DemoIsland, bolt: DemoIsland): Promise<void> {
  say('\nBoth islands keep running. Try any Matrix client (Element, Cinny, FluffyChat, nheko):');
  for (const [island, user] of logins(acme, bolt))
    say(`  homeserver ${island.url}   user ${user.padEnd(5)}   password ${password}`);
  say('Ctrl-C ends both and removes what they stored.');
  await stopped;
}
