import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join as pathOf } from 'node:path';
import type { Clock } from '../../protocol/runtime.ts';
import { at, Client, ok, textAt, v1, v3 } from '../support/client.ts';
import { agree, join, setState, stateContent, textsOf } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { realClock } from '../support/runtime.ts';
import { TestNetwork } from '../support/test-network.ts';

const dayMs = 86_400_000;

describe('what is a partner’s and has been kept as long as the policy says', () => {
  let network: TestNetwork;
  let ahead = 0;
  let li: Client;
  let bo: Client;
  let roomId: string;

  beforeEach(async () => {
    ahead = 0;
    const clock: Clock = {
      now: () => realClock.now() + ahead,
      setTimer: (ms, run) => realClock.setTimer(ms, run),
    };
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { clock });
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'trusted_private_chat', invite: [bo.userId] });
    await join(bo, roomId, ['acme.test']);
    await network.settled();
    setPolicy(network.island('acme.test'), 'bolt.test', { retention: { maxAge: 90 * dayMs } });
  });

  afterEach(() => network.stop());

  const expire = (): Promise<void> => network.island('acme.test').homeserver.retention.run();

  it('loses its content and keeps its place; ours, the state of the room and what is younger stay', async () => {
    const theirs = await bo.say(roomId, 'their old message');
    await network.settled();
    await li.say(roomId, 'our old message');
    const topic = await setState(bo, roomId, 'org.example.note', { note: 'state' });
    await network.settled();
    ahead = 60 * dayMs;
    await expire();
    assert.deepEqual(await textsOf(li, roomId), ['their old message', 'our old message']);
    await bo.say(roomId, 'their new message');
    await network.settled();

    ahead = 91 * dayMs;
    const since = textAt(await li.sync(), 'next_batch');
    await expire();
    assert.deepEqual(await textsOf(li, roomId), ['our old message', 'their new message']);
    const shown = await ok(li.get(v3`/rooms/${roomId}/event/${theirs}`));
    assert.deepEqual(shown['content'], {});
    assert.equal(at(shown, 'unsigned', 'org.archipelago.expired'), true);
    assert.deepEqual(await stateContent(li, roomId, 'org.example.note'), { note: 'state' });
    const { homeserver } = network.island('acme.test');
    const stored = await homeserver.db.events.getMany([theirs, topic]);
    assert.ok(!JSON.stringify([...stored.values()].map(({ pdu }) => pdu)).includes('their old message'));
    assert.equal(stored.get(theirs)?.eventId, theirs);
    assert.deepEqual(
      (await homeserver.db.audit.page())
        .filter(({ action }) => action === 'retention.delete')
        .map(({ detail }) => [detail?.['events'], detail?.['files']]),
      [[1, 0]],
    );
    // It is gone from the disk, and stays gone: nothing comes back out of memory or when the event comes again.
    await network.restart('acme.test');
    await network.linked('acme.test', 'bolt.test');
    assert.deepEqual(await textsOf(li, roomId), ['our old message', 'their new message']);
    // The room goes on, on both sides.
    await bo.say(roomId, 'go on');
    await agree(network, roomId, [li, bo]);
    assert.deepEqual(await textsOf(bo, roomId), [
      'their old message',
      'our old message',
      'their new message',
      'go on',
    ]);
    assert.ok(!JSON.stringify(await li.sync(since)).includes('their old message'));
  });

  it('goes on after a restart where it was, and takes what a policy of later lets go', async () => {
    for (let count = 0; count < 5; count += 1) await bo.say(roomId, `message ${count}`);
    await network.settled();
    ahead = 91 * dayMs;
    await expire();
    await bo.say(roomId, 'young');
    await network.settled();
    await network.restart('acme.test');
    await network.linked('acme.test', 'bolt.test');
    await expire();
    assert.deepEqual(await textsOf(li, roomId), ['young']);
    setPolicy(network.island('acme.test'), 'bolt.test', { retention: { maxAge: dayMs } });
    ahead = 93 * dayMs;
    await expire();
    assert.deepEqual(await textsOf(li, roomId), []);
  });

  it('is deleted with the copies of its files; ours stay', async () => {
    const upload = async (client: Client): Promise<string> =>
      textAt(await ok(client.request('POST', '/_matrix/media/v3/upload', { raw: 'a file' })), 'content_uri');
    const download = (uri: string) => {
      const [server = '', mediaId = ''] = uri.slice('mxc://'.length).split('/');
      return li.get(v1`/media/download/${server}/${mediaId}`);
    };
    const own = await upload(li);
    const theirs = await upload(bo);
    assert.equal((await download(theirs)).status, 200);
    const folder = pathOf(network.island('acme.test').directory, 'media');
    const count = async (): Promise<number> =>
      (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
        .length;
    assert.equal(await count(), 2);
    ahead = 91 * dayMs;
    await expire();
    assert.equal(await count(), 1);
    assert.equal((await download(own)).status, 200);
    const [line] = (await network.island('acme.test').homeserver.db.audit.page()).filter(
      ({ action }) => action === 'retention.delete',
    );
    assert.equal(line?.detail?.['files'], 1);
  });
});
