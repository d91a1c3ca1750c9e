import assert from 'node:assert/strict';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { generateSigningKey } from '../../protocol/signing.ts';
import { at, Client, ok, v3 } from '../support/client.ts';
import {
  agree,
  invite,
  join,
  membershipOf,
  moderate,
  setState,
  stateContent,
  textsOf,
  timelineOf,
} from '../support/conversation.ts';
import { ForgingPartner } from '../support/forging-partner.ts';
import { setPolicy } from '../support/policies.ts';
import { realRandom } from '../support/runtime.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

/** What a partner may try, and what comes of it. */
export function describeForgeries(roomVersion: string): void {
  describe(`a partner that forges events, in room version ${roomVersion}`, () => {
    const clock = new ShiftableClock();
    let network: TestNetwork;
    let acme: TestIsland;
    let forger: ForgingPartner;
    let li: Client;
    let bo: Client;
    let mal: string;
    let roomId: string;

    before(async () => {
      network = await TestNetwork.paired(['acme.test', 'bolt.test'], { clock });
      acme = network.island('acme.test');
      li = await Client.create(acme, 'li');
      bo = await Client.create(network.island('bolt.test'), 'bo');
      forger = await ForgingPartner.join(network, 'mallory.test', [acme, network.island('bolt.test')]);
      mal = forger.userId('mal');
    });

    after(async () => {
      await forger.stop();
      await network.stop();
    });

    beforeEach(async () => {
      roomId = await li.createRoom({ preset: 'public_chat', room_version: roomVersion });
      await join(bo, roomId, ['acme.test']);
      await forger.enter(acme, roomId, mal);
      await network.settled();
      complaints();
    });

    /** Whatever was tried: people talk on, and the islands agree. */
    afterEach(async () => {
      await li.say(roomId, 'the room goes on');
      await network.settled();
      await bo.say(roomId, 'it does');
      await agree(network, roomId, [li, bo]);
      for (const client of [li, bo])
        assert.deepEqual((await textsOf(client, roomId)).slice(-2), ['the room goes on', 'it does']);
    });

    const message = (body = 'forged', sender = mal) => ({
      type: 'm.room.message',
      sender,
      content: { msgtype: 'm.text', body },
    });

    /** Sends events in one transaction, and waits until acme is done with them. */
    const deliver = async (...pdus: JsonObject[]): Promise<void> => {
      assert.equal((await forger.send(acme, pdus)).status, 200);
      await network.processed();
    };

    /** What acme's log said of refused events since the last call. */
    let read = 0;
    const complaints = (): string[] => {
      const lines = acme.lines.slice(read);
      read = acme.lines.length;
      return lines.flatMap(({ reason, kind = 'dropped', msg }) =>
        msg === 'a dead letter' || msg === 'an event of a partner was not accepted'
          ? [`${kind}: ${reason}`]
          : [],
      );
    };

    const assertUnseen = async (text = 'forged'): Promise<void> => {
      for (const client of [li, bo]) assert.ok(!(await textsOf(client, roomId)).includes(text));
    };

    it('is believed what is right: the tool that forges can also be honest', async () => {
      const { pdu } = await forger.forge(acme, roomId, message('honest'));
      await deliver(pdu);
      assert.deepEqual(complaints(), []);
      assert.ok((await textsOf(li, roomId)).includes('honest'));
    });

    it('cannot sign with a key that is not pinned, nor under the id of one that is', async () => {
      for (const keyId of ['ed25519:other', forger.signingKey.keyId]) {
        const key = generateSigningKey(keyId, realRandom);
        await deliver((await forger.forge(acme, roomId, { ...message(), key })).pdu);
        assert.match(complaints().join(), /^dropped: signature/);
      }
      await deliver({ ...(await forger.forge(acme, roomId, message())).pdu, signatures: {} });
      assert.match(complaints().join(), /^dropped: signature/);
      await assertUnseen();
    });

    it('is believed under an old key only for what it says it signed while that was valid', async () => {
      const { keyId, publicKey } = forger.signingKey;
      const validUntil = Date.now() - 60_000;
      const before = [...acme.partners];
      acme.setPartners(
        before.map((partner) =>
          partner.serverName === 'mallory.test'
            ? {
                ...partner,
                verifyKeys: {
                  [keyId]: { key: publicKey, validUntil },
                  'ed25519:new': { key: generateSigningKey('ed25519:new', realRandom).publicKey },
                },
              }
            : partner,
        ),
      );
      // The link was opened with the old key, which opens none any more: bolt passes the events on.
      const early = await forger.forge(acme, roomId, { ...message('signed in time'), timestamp: validUntil });
      const late = await forger.forge(acme, roomId, {
        ...message(),
        timestamp: validUntil + 1,
        prev: [early.eventId],
      });
      assert.equal((await forger.send(network.island('bolt.test'), [early.pdu, late.pdu])).status, 200);
      await network.settled();
      await bo.say(roomId, 'on top of both');
      await clock.hurry(network.settled());
      const texts = await clock.hurry(textsOf(li, roomId));
      assert.ok(texts.includes('signed in time') && texts.includes('on top of both'));
      assert.ok(!texts.includes('forged'));
      acme.setPartners(before);
      forger.redirect(acme);
      await network.until(() => forger.isLinked(acme), 'the forger is not linked again');
    });

    it('cannot speak for people of other servers', async () => {
      for (const signedAs of ['mallory.test', 'acme.test', 'bolt.test'])
        for (const sender of [li.userId, bo.userId]) {
          await deliver((await forger.forge(acme, roomId, { ...message('forged', sender), signedAs })).pdu);
          assert.match(complaints().join(), /^dropped: signature/);
        }
      await assertUnseen();
    });

    it('cannot alter what was signed, not even its own: what is not the hash’s is redacted', async () => {
      const { pdu, eventId } = await forger.forge(acme, roomId, message('true'));
      await deliver({ ...pdu, content: { msgtype: 'm.text', body: 'forged' } });
      assert.deepEqual(complaints(), []);
      const event = (await timelineOf(li, roomId)).find((found) => found['event_id'] === eventId);
      assert.deepEqual(event?.['content'], {});
      await deliver({ ...(await forger.forge(acme, roomId, message())).pdu, depth: 7 });
      assert.match(complaints().join(), /^dropped: signature/);
      await assertUnseen();
    });

    it('cannot alter the words of others that it passes on', async () => {
      network.cut('acme.test', 'bolt.test');
      const eventId = await bo.say(roomId, 'bo’s own words');
      await network.until(
        () => forger.received.some(({ content }) => content['body'] === 'bo’s own words'),
        'the forger did not get the event',
      );
      const pdu = forger.received.find(({ content }) => content['body'] === 'bo’s own words');
      await deliver({ ...pdu, content: { msgtype: 'm.text', body: 'forged' } });
      const event = (await timelineOf(li, roomId)).find((found) => found['event_id'] === eventId);
      assert.deepEqual(event?.['content'], {});
      network.heal('acme.test', 'bolt.test');
      await network.linked('acme.test', 'bolt.test');
      await assertUnseen();
      // The true words came with bo's own delivery, and count.
      await network.settled();
      assert.ok((await textsOf(li, roomId)).includes('bo’s own words'));
    });

    it('cannot have an honest event rejected for good by lying about what was before it', async () => {
      network.cut('acme.test', 'bolt.test');
      const texts = ['first', 'then'];
      for (const text of texts) await bo.say(roomId, text);
      const sent = (text: string) => forger.received.find(({ content }) => content['body'] === text);
      await network.until(() => sent('then') !== undefined, 'the forger did not get the events');
      const view = await acme.homeserver.engine.view(roomId);
      const state = [...(view?.state.values() ?? [])].filter(({ pdu }) => pdu.state_key !== bo.userId);
      const { pdu: diversion } = await forger.forge(acme, roomId, message());
      forger.answers.set('get_missing_events', () => ({ status: 200, body: { events: [diversion] } }));
      forger.answers.set('state_ids', () => ({
        status: 200,
        body: { pdu_ids: state.map(({ eventId }) => eventId), auth_chain_ids: [] },
      }));
      const then = sent('then');
      assert.ok(then);
      await deliver(then);
      assert.match(complaints().join(), /^rejected: state before/);
      assert.ok(!(await textsOf(li, roomId)).includes('then'));
      network.heal('acme.test', 'bolt.test');
      await network.linked('acme.test', 'bolt.test');
      await network.settled();
      assert.deepEqual(await textsOf(li, roomId), texts);
      forger.answers.clear();
    });

    it('cannot bring an event into another room', async () => {
      const other = await li.createRoom({ room_version: roomVersion });
      const { pdu } = await forger.forge(acme, roomId, message());
      await deliver({ ...pdu, room_id: other });
      assert.match(complaints().join(), /^dropped: signature/);
      await deliver((await forger.forge(acme, roomId, { ...message(), roomId: other })).pdu);
      assert.match(complaints().join(), /^dropped: .*of another room/);
      await deliver((await forger.forge(acme, roomId, { ...message(), roomId: '!nowhere:acme.test' })).pdu);
      assert.match(complaints().join(), /^dropped: /);
      const strange = await forger.forge(acme, other, { ...message(), auth: await authOf(roomId) });
      await deliver(strange.pdu);
      assert.match(complaints().join(), /^rejected: auth events/);
      assert.deepEqual(await textsOf(li, other), []);
      await assertUnseen();
    });

    const authOf = async (room: string): Promise<string[]> =>
      (await forger.forge(acme, room, message())).pdu.auth_events;

    it('cannot do what the auth rules forbid', async () => {
      const levels = await stateContent(li, roomId, 'm.room.power_levels');
      const users = { ...(levels['users'] as JsonObject), [mal]: 100 };
      const state = (type: string, content: JsonObject, stateKey = '') => ({
        type,
        sender: mal,
        stateKey,
        content,
      });
      const attempts = [
        state('m.room.power_levels', { ...levels, users }),
        state('m.room.power_levels', { ...levels, users: { ...users, [mal]: '100' } }),
        state('m.room.topic', { topic: 'forged' }),
        state('m.room.server_acl', { deny: ['*'] }),
        state('m.room.create', { room_version: roomVersion, creator: mal }),
        state('m.room.member', { membership: 'leave' }, li.userId),
        state('m.room.member', { membership: 'ban' }, bo.userId),
        state('m.room.member', { membership: 'join' }, '@new:acme.test'),
        state('m.room.member', { membership: 'emperor' }, mal),
        state('m.x', { of: 'li' }, li.userId),
      ];
      const before = await agree(network, roomId, [li, bo]);
      for (const attempt of attempts) {
        await deliver((await forger.forge(acme, roomId, attempt)).pdu);
        assert.match(complaints().join(), /^(rejected|dropped): /, JSON.stringify(attempt));
      }
      assert.deepEqual(await agree(network, roomId, [li, bo]), before);
    });

    it('cannot let people speak who are not in the room', async () => {
      await deliver((await forger.forge(acme, roomId, message('forged', forger.userId('ghost')))).pdu);
      assert.match(complaints().join(), /^rejected: /);
      // Without an ACL, which would keep them out before anything is judged.
      setPolicy(acme, 'bolt.test', { rooms: { ...defaultPartnerPolicy.rooms, thirdParties: 'allow' } });
      const secret = await li.createRoom({ room_version: roomVersion });
      await invite(li, secret, bo);
      await join(bo, secret);
      const member = { type: 'm.room.member', sender: mal, stateKey: mal, content: { membership: 'join' } };
      const entry = await forger.forge(acme, secret, member);
      await deliver(entry.pdu);
      await deliver((await forger.forge(acme, secret, { ...message(), prev: [entry.eventId] })).pdu);
      assert.equal(complaints().filter((line) => line.startsWith('rejected')).length, 2);
      assert.equal(await membershipOf(li, secret, mal), 'leave');
      await bo.say(secret, 'among ourselves');
      await agree(network, secret, [li, bo]);
      assert.deepEqual(await textsOf(li, secret), ['among ourselves']);
    });

    it('cannot have what is too large, too long or too much', async () => {
      const huge = { ...message(), content: { body: 'forged', fill: 'x'.repeat(65_536) } };
      const ids = (count: number) => Array.from({ length: count }, (_, index) => `$${index}`.padEnd(44, 'x'));
      const attempts = [
        huge,
        { ...message(), type: 'm.'.padEnd(256, 'x') },
        { ...message(), stateKey: 'ü'.repeat(128) },
        { ...message(), sender: `@${'m'.repeat(250)}:mallory.test` },
        { ...message(), prev: ids(21) },
        { ...message(), auth: ids(11) },
        { ...message(), depth: -1 },
        { ...message(), prev: ['not an event id'] },
      ];
      for (const attempt of attempts) {
        await deliver((await forger.forge(acme, roomId, attempt)).pdu);
        assert.match(complaints().join(), /^dropped: format/, JSON.stringify(attempt).slice(0, 100));
      }
      // The same among missing events that are fetched.
      const large = await forger.forge(acme, roomId, huge);
      const after = await forger.forge(acme, roomId, { ...message('on top of it'), prev: [large.eventId] });
      forger.answers.set('state_ids', async () => ({
        status: 200,
        body: { pdu_ids: await stateIds(), auth_chain_ids: [] },
      }));
      await deliver(after.pdu);
      forger.answers.clear();
      assert.ok((await textsOf(li, roomId)).includes('on top of it'));
      await assertUnseen();
    });

    const stateIds = async (): Promise<string[]> => {
      const view = await acme.homeserver.engine.view(roomId);
      return [...(view?.state.values() ?? [])].map(({ eventId }) => eventId);
    };

    it('cannot spoil a transaction, nor the link, with JSON that Matrix does not know', async () => {
      const good = JSON.stringify((await forger.forge(acme, roomId, message('good'))).pdu);
      const bad = (await forger.forge(acme, roomId, { ...message(), content: { body: 'forged', n: 1 } })).pdu;
      const text = JSON.stringify(bad);
      const spoilt = [
        text.replace('"n":1', '"n":1.5'),
        text.replace('"n":1', '"n":1e3'),
        text.replace('"n":1', '"n":-0'),
        text.replace('"n":1', '"n":9007199254740993'),
        text.replace('"n":1', '"n":1,"n":2'),
        text.replace('"n":1', '"n":"\\ud800"'),
        text.replace('"n":1', `"n":${'['.repeat(200)}${']'.repeat(200)}`),
        'null',
        '7',
        '[]',
        '{}',
        `{"room_id":${JSON.stringify(roomId)}}`,
      ];
      assert.equal((await forger.sendTexts(acme, [...spoilt, good])).status, 200);
      await network.settled();
      const refusals = complaints();
      assert.equal(refusals.length, spoilt.length, refusals.join('\n'));
      assert.ok((await textsOf(li, roomId)).includes('good'));
      await assertUnseen();
    });

    it('cannot evade a ban by pretending that it had not happened yet', async () => {
      const early = (await acme.homeserver.engine.view(roomId))?.extremities ?? [];
      const evasion = await forger.forge(acme, roomId, { ...message(), prev: early });
      await moderate(li, 'ban', roomId, mal);
      await network.settled();
      await deliver(evasion.pdu);
      assert.match(complaints().join(), /^soft-failed: current state/);
      await assertUnseen();
      const next = await li.say(roomId, 'without it');
      const view = await acme.homeserver.engine.view(roomId);
      assert.deepEqual(view?.extremities, [next]);
      const { status } = await li.get(v3`/rooms/${roomId}/event/${evasion.eventId}`);
      assert.equal(status, 404);
      // It is kept and given to servers that ask, as the specification wants it.
      const reply = await network
        .island('bolt.test')
        .homeserver.federation.remote.event('acme.test', evasion.eventId);
      assert.deepEqual(reply, JSON.parse(JSON.stringify(evasion.pdu)));
      const banned = await forger.forge(acme, roomId, message());
      await deliver(banned.pdu);
      assert.match(complaints().join(), /^rejected: /);
      await assertUnseen();
    });

    it('does not stop others from going on after an event that was rejected', async () => {
      const bad = await forger.forge(acme, roomId, {
        type: 'm.room.topic',
        sender: mal,
        stateKey: '',
        content: { topic: 'forged' },
      });
      const after = await forger.forge(acme, roomId, { ...message('after it'), prev: [bad.eventId] });
      await deliver(bad.pdu, after.pdu);
      assert.equal(complaints().length, 1);
      assert.ok((await textsOf(li, roomId)).includes('after it'));
      assert.deepEqual(await stateContent(li, roomId, 'm.room.topic'), {});
      // What names a rejected event as its authorisation is rejected as well.
      const auth = [...after.pdu.auth_events, bad.eventId];
      await deliver((await forger.forge(acme, roomId, { ...message(), auth })).pdu);
      assert.match(complaints().join(), /^rejected: auth events/);
      await assertUnseen();
    });

    it('cannot move itself to the end or the beginning with its clock or its depth', async () => {
      const now = Date.now();
      for (const [depth, timestamp] of [
        [Number.MAX_SAFE_INTEGER, now + 10 ** 12],
        [0, 0],
      ] as const) {
        const odd = await forger.forge(acme, roomId, { ...message(`odd ${depth}`), depth, timestamp });
        await deliver(odd.pdu);
        await li.say(roomId, `after ${depth}`);
        await network.settled();
        for (const client of [li, bo])
          assert.deepEqual((await textsOf(client, roomId)).slice(-2), [`odd ${depth}`, `after ${depth}`]);
      }
    });

    it('cannot speak, type or read for others in what passes by', async () => {
      const eventId = await li.say(roomId, 'read me');
      await network.settled();
      const typing = (userId: string, room = roomId): JsonObject => ({
        edu_type: 'm.typing',
        content: { room_id: room, user_id: userId, typing: true },
      });
      const receipt = (userId: string, room = roomId): JsonObject => ({
        edu_type: 'm.receipt',
        content: { [room]: { 'm.read': { [userId]: { event_ids: [eventId], data: { ts: 1 } } } } },
      });
      const secret = await li.createRoom();
      const edus = [
        typing(bo.userId),
        typing(forger.userId('ghost')),
        typing(mal, secret),
        receipt(bo.userId),
        receipt(forger.userId('ghost')),
        receipt(mal, secret),
        { edu_type: 'm.nothing', content: {} },
        { edu_type: 'm.typing', content: { room_id: 1 } },
        { edu_type: 'm.receipt', content: { [roomId]: { 'm.read': 7 } } },
      ];
      assert.equal((await forger.send(acme, [], edus)).status, 200);
      assert.equal((await forger.send(acme, [], [typing(mal), receipt(mal)])).status, 200);
      await network.settled();
      const body = await ok(li.get(v3`/sync`, { timeout: 0 }));
      const rooms = at(body, 'rooms', 'join');
      const seen = JSON.stringify([at(rooms, roomId, 'ephemeral'), at(rooms, secret, 'ephemeral')]);
      const named = [mal, bo.userId, 'ghost'].filter((name) => seen.includes(name));
      assert.deepEqual(named, [mal]);
      assert.equal((seen.match(/mallory/g) ?? []).length, 2);
    });

    it('is not heard any more where the room’s ACL denies it', async () => {
      await setState(li, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['MALLORY.*'] });
      await network.settled();
      await deliver((await forger.forge(acme, roomId, message())).pdu);
      assert.match(complaints().join(), /^dropped: server ACL/);
      const edu = { edu_type: 'm.typing', content: { room_id: roomId, user_id: mal, typing: true } };
      await forger.send(acme, [], [edu]);
      await network.settled();
      assert.equal(
        JSON.stringify(at(await li.sync(), 'rooms', 'join', roomId, 'ephemeral')).includes(mal),
        false,
      );
      await assertUnseen();
    });

    it('may say the same again as often as it likes', async () => {
      const { pdu } = await forger.forge(acme, roomId, message('once'));
      await deliver(pdu, pdu, pdu);
      await deliver(pdu);
      assert.equal((await textsOf(li, roomId)).filter((text) => text === 'once').length, 1);
    });
  });
}
