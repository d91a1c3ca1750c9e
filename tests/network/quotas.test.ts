import assert from 'node:assert/strict';
import type { RatePolicy } from '../../policy/partner-policy.ts';
import { type Answer, at, Client, listAt, ok, refused, textAt, v1, v3 } from '../support/client.ts';
import { invite, join, textsOf } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('the quotas of a partner', () => {
  let network: TestNetwork;
  let li: Client;
  let bo: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
  });

  after(() => network.stop());

  /** Only acme has them. */
  function configure(rate: Partial<RatePolicy>): void {
    setPolicy(network.island('acme.test'), 'bolt.test', { rate: { invitesPerHour: 600, ...rate } });
  }

  async function invited(from: Client, to: Client): Promise<Answer> {
    const roomId = await from.createRoom();
    return from.post(v3`/rooms/${roomId}/invite`, { user_id: to.userId });
  }

  it('hold events back on the side that sends too many, and lose none of them', async () => {
    const roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
    configure({ eventsPerSecond: 10, eventBurst: 3 });
    const texts = Array.from({ length: 25 }, (_, index) => `message ${index}`);
    for (const text of texts) await bo.say(roomId, text);
    await network.settled();
    assert.deepEqual(await textsOf(li, roomId), texts);
    const { lines } = network.island('bolt.test');
    assert.ok(
      lines.some((line) => line['status'] === 429),
      'nothing was held back',
    );
    // What ours send is for the partner's quota to limit.
    for (const text of texts) await li.say(roomId, text);
    await network.settled();
    assert.deepEqual(await textsOf(bo, roomId), [...texts, ...texts]);
  });

  it('let so many invitations pass in each direction, and say when there is room again', async () => {
    configure({ invitesPerHour: 2 });
    // What was refused for another reason does not count.
    await refused(
      404,
      'M_NOT_FOUND',
      bo.post(v3`/rooms/${'!nowhere:bolt.test'}/invite`, { user_id: li.userId }),
    );
    for (const [from, to] of [
      [li, bo],
      [bo, li],
    ] as const) {
      for (let count = 0; count < 2; count += 1) await ok(invited(from, to));
      await refused(429, 'M_LIMIT_EXCEEDED', invited(from, to));
    }
    const { body } = await invited(li, bo);
    const wait = at(body, 'retry_after_ms');
    assert.ok(typeof wait === 'number' && wait > 1_000_000 && wait <= 1_800_000, String(wait));
    assert.deepEqual(
      listAt(body, 'org.archipelago.violations').map(({ code }) => code),
      ['rate_exceeded'],
    );
  });

  it('let so many bytes of files pass in each direction within a day', async () => {
    configure({ mediaPerDay: 100 });
    const download = async (from: Client, by: Client): Promise<Answer> => {
      const raw = 'x'.repeat(80);
      const uri = textAt(await ok(from.request('POST', '/_matrix/media/v3/upload', { raw })), 'content_uri');
      const [server = '', mediaId = ''] = uri.slice('mxc://'.length).split('/');
      return by.get(v1`/media/download/${server}/${mediaId}`);
    };
    for (const [from, by] of [
      [li, bo],
      [bo, li],
    ] as const) {
      // Whoever has anything left may go on: how large a file is, is known when it is here.
      assert.equal((await download(from, by)).status, 200);
      assert.equal((await download(from, by)).status, 200);
      const answer = await download(from, by);
      assert.deepEqual([answer.status, answer.body['errcode']], [429, 'M_LIMIT_EXCEEDED']);
    }
  });
});
