// `npm run demo`: two companies, one room, one link, and a power cut in the middle.
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoIsland } from './island.ts';
import { Person } from './person.ts';

const password = 'demo-password';
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const folder = await mkdtemp(join(tmpdir(), 'archipelago-demo-'));
const islands: DemoIsland[] = [];
try {
  await demo();
  if (!process.argv.includes('--once')) await untilStopped();
} catch (error) {
  say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await Promise.all(islands.map((island) => island.stop()));
  await rm(folder, { recursive: true, force: true });
}

async function demo(): Promise<void> {
  say('Two companies, each with an island of its own:');
  const [acme, bolt] = await Promise.all([
    island('acme.localhost', 'alice'),
    island('bolt.localhost', 'bob'),
  ]);

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
  await alice.say(roomId, before[0] ?? '', 'demo-1');
  await bob.say(roomId, before[1] ?? '', 'demo-2');
  await Promise.all([alice.sees(roomId, before), bob.sees(roomId, before)]);
  say('\nThey talk. Every event is hashed, and signed by the server of whoever sent it:');
  for (const [text, event] of await bob.signedEvents(roomId)) show(text, event);

  say(
    '\nNow the power fails at Bolt (kill -9). Alice goes on writing; her island answers and keeps it for Bolt:',
  );
  await bolt.kill();
  const meanwhile = ['Thursday is fine.', 'Please send the papers to the harbour office.', 'Are you there?'];
  for (const [index, text] of meanwhile.entries()) {
    const eventId = await alice.say(roomId, text, `demo-meanwhile-${index}`);
    say(`  ${alice.userId}: ${text}\n    ${eventId}`);
  }
  say(`  waiting for Bolt: ${await queueOf(acme)} events`);

  say('\nBolt has power again:');
  await bolt.start();
  await bob.sees(roomId, [...before, ...meanwhile]);
  await bob.say(roomId, 'Here again, and I have read everything.', 'demo-3');
  const all = [...before, ...meanwhile, 'Here again, and I have read everything.'];
  await Promise.all([alice.sees(roomId, all), bob.sees(roomId, all)]);
  for (const text of await bob.texts(roomId)) say(`  ${text}`);
  const [a, b] = await Promise.all([alice.texts(roomId), bob.texts(roomId)]);
  if (a.length !== all.length || b.length !== all.length) throw new Error('The two sides differ');
  say(`Both sides hold the same ${all.length} messages, each once: nothing was lost.`);
}

async function island(serverName: string, localpart: string): Promise<DemoIsland> {
  const made = await DemoIsland.create(serverName, join(folder, serverName));
  islands.push(made);
  await made.start();
  await made.command('user', 'add', localpart, '--password', password);
  say(`  ${made.serverName} at ${made.url} (user ${localpart}, password ${password})`);
  return made;
}

/** Gives the card of `from` to `to`, as two admins would by mail. */
async function exchangeCards(from: DemoIsland, to: DemoIsland): Promise<void> {
  const file = join(folder, `${from.serverName}.card`);
  await writeFile(file, await from.command('partner', 'card'));
  await to.command('partner', 'add', file, '--yes');
  say(`  ${to.serverName} added ${from.serverName}`);
}

function show(text: string, event: Record<string, unknown>): void {
  const signatures = event['signatures'] as Record<string, Record<string, string>>;
  say(`  ${String(event['sender'])}: ${text}`);
  say(
    `    event ${String(event['event_id'] ?? '')} content hash ${(event['hashes'] as { sha256: string }).sha256}`,
  );
  for (const [server, keys] of Object.entries(signatures)) {
    for (const [keyId, signature] of Object.entries(keys))
      say(`    signed by ${server} (${keyId}) ${signature}`);
  }
}

async function queueOf(island: DemoIsland): Promise<number> {
  const partners = JSON.parse(await island.command('partner', 'list', '--json')) as {
    outbox: { pdu: number };
  }[];
  return partners.reduce((sum, partner) => sum + partner.outbox.pdu, 0);
}

async function untilStopped(): Promise<void> {
  say('\nBoth islands keep running. Try any Matrix client (Element, Cinny, FluffyChat, nheko):');
  say(`  homeserver ${islands[0]?.url}   user alice   password ${password}`);
  say(`  homeserver ${islands[1]?.url}   user bob     password ${password}`);
  say('Ctrl-C ends both and removes what they stored.');
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
}
