import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { temporaryFolder } from '../support/folder.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('an island whose disk is full', () => {
  let network: TestNetwork;

  before(async () => {
    const path = join(temporaryFolder(), 'homeserver.db');
    network = await TestNetwork.start(['acme.test'], {
      database: { type: 'sqlite', path, maxPageCount: 220 },
    });
  });

  after(() => network.stop());

  it('says so, keeps everything that it has acknowledged, and goes on reading', async () => {
    const island = network.island('acme.test');
    const alice = await Client.create(island, 'alice');
    const roomId = await alice.createRoom();
    const { next_batch: since } = await alice.sync();
    const send = (body: string) =>
      alice.put(v3`/rooms/${roomId}/send/m.room.message/${body.slice(0, 8)}`, { msgtype: 'm.text', body });
    const sent: unknown[] = [];
    let answer = await send(`${sent.length}`.padStart(8, '0').padEnd(20_000, 'x'));
    while (answer.status === 200 && sent.length < 500) {
      sent.push(answer.body['event_id']);
      answer = await send(`${sent.length}`.padStart(8, '0').padEnd(20_000, 'x'));
    }
    assert.ok(sent.length > 3);
    assert.deepEqual([answer.status, answer.body['errcode']], [507, 'M_UNKNOWN']);
    assert.match(String(answer.body['error']), /no space left; nothing was stored/);
    assert.ok(island.lines.some(({ msg, level }) => msg === 'the database refused a change' && level === 50));

    const page = await ok(
      alice.get(v3`/rooms/${roomId}/messages`, { dir: 'f', from: String(since), limit: 500 }),
    );
    assert.deepEqual(
      listAt(page, 'chunk').map(({ event_id }) => event_id),
      sent,
    );
    const update = await alice.sync(String(since));
    assert.ok(JSON.stringify(update).includes(String(sent.at(-1))));
    // Refused again, and the room has not gone on without the disk.
    assert.equal((await send('again'.padEnd(20_000, 'x'))).status, 507);
    const after = await ok(alice.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 1 }));
    assert.equal(listAt(after, 'chunk')[0]?.['event_id'], sent.at(-1));
    await refused(404, 'M_NOT_FOUND', alice.get(v3`/rooms/${roomId}/event/${'$nothing'}`));
  });
});
