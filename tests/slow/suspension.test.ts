import assert from 'node:assert/strict';
import { request } from 'node:http';
import { at, Client, listAt, ok, textAt, v3 } from '../support/client.ts';
import { invite, join, leave, membershipOf, seen, textsOf } from '../support/conversation.ts';
import { TestNetwork } from '../support/test-network.ts';
import type { Passage } from '../support/wire.ts';

describe('a suspended partner', function () {
  this.timeout(60_000);

  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let roomId: string;
  /** Ends what goes on beside a test, also of a test that ran out of time: else it goes on for ever. */
  let isOver: boolean;

  beforeEach(async () => {
    isOver = false;
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
  });

  afterEach(() => {
    isOver = true;
    return network.stop();
  });

  const actions = () => network.island('acme.test').homeserver.partnerActions;
  const suspend = (options: { keepRooms?: boolean } = {}) =>
    actions().suspend('bolt.test', { by: 'test', ...options });

  async function resume(): Promise<void> {
    await actions().resume('bolt.test', { by: 'test' });
    for (const name of ['acme.test', 'bolt.test'])
      network.island(name).homeserver.federation.partnersChanged();
    await network.linked('acme.test', 'bolt.test');
    await network.settled();
  }

  /** One after the other, past the client API: it is the order on the way that counts. */
  async function sayAll({ userId }: Client, island: string, texts: readonly string[]): Promise<void> {
    const { engine } = network.island(island).homeserver;
    for (const body of texts)
      await engine.send({ userId, roomId, type: 'm.room.message', content: { msgtype: 'm.text', body } });
  }

  function wires() {
    return network.wires('acme.test', 'bolt.test');
  }

  it('gets not a byte more over its link, within a second, in the middle of traffic', async () => {
    const records = wires().map((wire) => wire.record());
    const chatter = (async () => {
      for (let index = 0; !isOver; index += 1)
        await Promise.allSettled([li.say(roomId, `li ${index}`), bo.say(roomId, `bo ${index}`)]);
    })();
    let answered = 0;
    let before = new Set<string>();
    try {
      await network.until(() => records.some((record) => record.length > 50), 'there is no traffic');
      const began = performance.now();
      await suspend();
      answered = performance.now();
      assert.ok(answered - began < 1_000, `suspending took ${answered - began} ms`);
      before = new Set(records.flatMap((record, wire) => record.map(({ strand }) => `${wire} ${strand}`)));
      await network.until(openStrandsOfBefore, 'a socket stays open');
      // Goes on for a while: whatever wants to pass has its chance.
      const until = performance.now() + 1_500;
      await network.until(() => performance.now() > until, 'time stands still');
    } finally {
      isOver = true;
      await chatter;
    }
    const isOld = (wire: number, { strand }: Passage): boolean => before.has(`${wire} ${strand}`);
    for (const [wire, record] of records.entries()) {
      // The wire itself is a process's turn away from the island.
      const late = record.filter((passage) => isOld(wire, passage) && passage.at > answered + 50);
      assert.deepEqual(
        late.map(({ direction, bytes }) => `${direction} ${bytes.length}`),
        [],
      );
      // The partner knocks again, and hears one thing only.
      const answers = record.filter((passage) => !isOld(wire, passage) && passage.direction === 'back');
      for (const { bytes } of answers) assert.match(bytes.toString('latin1'), /^HTTP\/1\.1 403 /);
    }

    function openStrandsOfBefore(): boolean {
      return network.island('bolt.test').homeserver.federation.link.status('acme.test').state !== 'connected';
    }
  });

  it('gets, when it is resumed, a thousand events each way, each once and in order', async () => {
    network.cut('acme.test', 'bolt.test');
    const texts = (name: string): string[] => Array.from({ length: 1_000 }, (_, index) => `${name} ${index}`);
    const [ours, theirs] = [texts('li'), texts('bo')];
    await sayAll(li, 'acme.test', ours);
    await suspend();
    network.heal('acme.test', 'bolt.test');
    await sayAll(bo, 'bolt.test', theirs);
    await network.restart('acme.test');
    const status = await network.island('acme.test').homeserver.federation.status();
    assert.deepEqual([status[0]?.state, status[0]?.outbox.pdu], ['suspended', 1_000]);
    await resume();
    for (const [reader, island] of [
      [li, 'acme.test'],
      [bo, 'bolt.test'],
    ] as const) {
      const all = await textsOf(reader, roomId);
      assert.equal(all.length, 2_000, `${island} has ${all.length}`);
      assert.deepEqual(
        all.filter((text) => text.startsWith('li ')),
        ours,
      );
      assert.deepEqual(
        all.filter((text) => text.startsWith('bo ')),
        theirs,
      );
    }
    const { quarantine } = network.island('acme.test').homeserver.db;
    assert.deepEqual(await quarantine.list(10), []);
  });

  it('loses and doubles nothing of a transaction that is in flight', async () => {
    for (const wire of wires()) wire.stall('back');
    const texts = Array.from({ length: 20 }, (_, index) => `in flight ${index}`);
    for (const text of texts) await li.say(roomId, text);
    await suspend();
    for (const wire of wires()) wire.heal();
    await resume();
    assert.deepEqual(await textsOf(bo, roomId), texts);
  });

  it('hears afterwards of what is never held back: who left, and what was taken back', async () => {
    const eventId = await li.say(roomId, 'a slip of the pen');
    const mo = await Client.create(network.island('acme.test'), 'mo');
    await invite(li, roomId, mo);
    await join(mo, roomId);
    await network.settled();
    await suspend();
    await ok(li.put(v3`/rooms/${roomId}/redact/${eventId}/r1`, {}));
    await leave(mo, roomId);
    await resume();
    assert.equal(await membershipOf(bo, roomId, mo.userId), 'leave');
    assert.deepEqual(await textsOf(bo, roomId), []);
  });

  it('does not hold up who is just joining: they are told, and come in when it is over', async () => {
    const other = await li.createRoom({ preset: 'private_chat' });
    await invite(li, other, bo);
    await seen(
      bo,
      (body) =>
        listAt(body, 'rooms', 'invite', other, 'invite_state', 'events').length > 0 ? true : undefined,
      'no invitation',
    );
    for (const wire of wires()) for (const direction of ['out', 'back'] as const) wire.stall(direction);
    const joining = bo.post(`${v3`/join/${other}`}?via=acme.test`);
    await suspend();
    for (const wire of wires()) wire.heal();
    const { status } = await joining;
    assert.ok(status >= 400, `the join was answered with ${status}`);
    assert.equal(await membershipOf(li, other, bo.userId), 'invite');
    await resume();
    await join(bo, other, ['acme.test']);
    await network.settled();
    assert.equal(await membershipOf(li, other, bo.userId), 'join');
  });

  it('gets the rest of no file that it is just fetching', async () => {
    const size = 900 * 1024;
    const uploaded = await ok(li.request('POST', '/_matrix/media/v3/upload', { raw: Buffer.alloc(size, 1) }));
    const uri = String(at(uploaded, 'content_uri')).slice('mxc://'.length);
    await ok(
      li.put(v3`/rooms/${roomId}/send/m.room.message/file`, {
        msgtype: 'm.file',
        body: 'f',
        url: `mxc://${uri}`,
      }),
    );
    await network.settled();
    const records = wires().map((wire) => wire.record());
    const passed = (): number => records.flat().reduce((sum, { bytes }) => sum + bytes.length, 0);
    const download = new Promise<{ status: number; length: number }>((resolve) => {
      const { port } = network.island('bolt.test');
      const headers = { authorization: `Bearer ${bo.accessToken}` };
      const asked = request({
        host: '127.0.0.1',
        port,
        path: `/_matrix/client/v1/media/download/${uri}`,
        headers,
      });
      asked.on('error', () => resolve({ status: 0, length: 0 }));
      asked.on('response', (response) => {
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
        });
        response.on('error', () => resolve({ status: response.statusCode ?? 0, length }));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, length }));
      });
      asked.end();
    });
    await network.until(() => {
      if (passed() < 64 * 1024) return false;
      for (const wire of wires()) for (const direction of ['out', 'back'] as const) wire.stall(direction);
      return true;
    }, 'the file does not flow');
    await suspend();
    for (const wire of wires()) wire.heal();
    const { status, length } = await download;
    assert.ok(status !== 200 || length < size, `${length} bytes arrived with ${status}`);
    assert.ok(passed() < size, `${passed()} bytes passed`);
    await resume();
    const again = await bo.request('GET', `/_matrix/client/v1/media/download/${uri}`);
    assert.deepEqual([again.status, again.bytes.length], [200, size]);
  });

  it('leaves rooms with other partners open where that was asked for, and closed where not', async () => {
    await network.add('dock.test');
    await network.pair('acme.test', 'dock.test');
    await network.pair('bolt.test', 'dock.test');
    const da = await Client.create(network.island('dock.test'), 'da');
    const acme = network.island('acme.test');
    acme.setPartners(
      acme.partners.map((partner) => ({
        ...partner,
        policy: { ...partner.policy, rooms: { ...partner.policy.rooms, thirdParties: 'allow' } },
      })),
    );
    roomId = await li.createRoom({ preset: 'private_chat' });
    for (const guest of [bo, da]) {
      await invite(li, roomId, guest);
      await join(guest, roomId, ['acme.test']);
    }
    await network.settled();
    await suspend();
    const refusal = await li.put(v3`/rooms/${roomId}/send/m.room.message/closed`, {
      msgtype: 'm.text',
      body: 'no',
    });
    assert.equal(refusal.status, 403);
    assert.equal(
      textAt(listAt(refusal.body, 'org.archipelago.violations')[0] ?? {}, 'code'),
      'partner_suspended',
    );
    await resume();
    await suspend({ keepRooms: true });
    await li.say(roomId, 'to dock alone');
    await network.processed();
    await network.until(
      async () => (await textsOf(da, roomId)).includes('to dock alone'),
      'dock does not hear',
    );
    const [bolt] = (await acme.homeserver.federation.status()).filter(
      ({ serverName }) => serverName === 'bolt.test',
    );
    assert.equal(bolt?.outbox.pdu, 1);
    await resume();
    assert.ok((await textsOf(bo, roomId)).includes('to dock alone'));
  });
});
