import assert from 'node:assert/strict';
import type { Pdu } from '../../protocol/event.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { generateSigningKey } from '../../protocol/signing.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import {
  invitation,
  isInvited,
  join,
  leave,
  membershipOf,
  stateOf,
  textsOf,
} from '../support/conversation.ts';
import { ForgedRoom } from '../support/forged-room.ts';
import { ForgingPartner, type Reply } from '../support/forging-partner.ts';
import { realRandom } from '../support/runtime.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('a partner that lies about its rooms', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let forger: ForgingPartner;
  let li: Client;
  let mal: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    acme = network.island('acme.test');
    li = await Client.create(acme, 'li');
    forger = await ForgingPartner.join(network, 'mallory.test', [acme]);
    mal = forger.userId('mal');
  });

  after(async () => {
    await forger.stop();
    await network.stop();
  });

  afterEach(() => forger.answers.clear());

  const joinBy = (roomId: string) => li.post(`${v3`/join/${roomId}`}?via=mallory.test`);

  for (const version of ['10', '11', '12'])
    it(`is joined when it is honest, in room version ${version}`, async () => {
      const room = new ForgedRoom(forger, version, mal);
      room.add('m.room.name', '', { name: 'Honest' });
      room.serve();
      await join(li, room.roomId, ['mallory.test']);
      assert.equal((await stateOf(li, room.roomId)).length, 6);
      forger.received.length = 0;
      await li.say(room.roomId, 'hello');
      await network.until(() => forger.received.length > 0, 'nothing arrived');
      const { pdu } = await forger.forge(acme, room.roomId, {
        type: 'm.room.message',
        sender: mal,
        content: { body: 'welcome' },
      });
      await forger.send(acme, [pdu]);
      await network.processed();
      assert.deepEqual(await textsOf(li, room.roomId), ['hello', 'welcome']);
    });

  it('gets no signature under a template that says something else', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    const changes: ((event: JsonObject) => JsonObject)[] = [
      (event) => ({ ...event, type: 'm.room.power_levels' }),
      (event) => ({ ...event, sender: mal }),
      (event) => ({ ...event, sender: '@other:acme.test' }),
      (event) => ({ ...event, state_key: mal }),
      ({ state_key: _, ...event }) => event,
      (event) => ({ ...event, room_id: '!other:mallory.test' }),
      (event) => ({ ...event, content: { membership: 'invite' } }),
      (event) => ({ ...event, content: {} }),
      (event) => ({ ...event, prev_events: ['no id'] }),
      (event) => ({ ...event, auth_events: 7 }),
      (event) => ({ ...event, depth: 'deep' }),
    ];
    for (const change of changes) {
      room.serve({ template: (honest) => ({ ...honest, event: change(objectAt(honest, 'event')) }) });
      await refused(502, 'M_UNKNOWN', joinBy(room.roomId));
    }
    for (const version of ['1', '9', 'x', 7]) {
      room.serve({ template: (honest) => ({ ...honest, room_version: version }) });
      await refused(502, 'M_UNKNOWN', joinBy(room.roomId));
    }
    assert.deepEqual(
      forger.asked.filter(
        (asked) => asked.includes('send_join') && asked.includes(encodeURIComponent(room.roomId)),
      ),
      [],
    );
    // What a template adds beside is not signed.
    let signed: JsonObject = {};
    room.serve({
      template: (honest) => {
        const event = objectAt(honest, 'event');
        const content = { membership: 'join', displayname: 'Mal’s puppet', extra: true };
        return { ...honest, event: { ...event, content, extra: true, origin_server_ts: 5 } };
      },
      answer: (honest) => {
        signed = objectAt(honest, 'event');
        return honest;
      },
    });
    await join(li, room.roomId, ['mallory.test']);
    assert.deepEqual(signed['content'], { membership: 'join' });
    assert.equal(signed['extra'], undefined);
    assert.ok(Number(signed['origin_server_ts']) > 5);
  });

  it('is not joined when the state that it gives is not that of a room', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    const foreign = new ForgedRoom(forger, '12', mal);
    const strange = generateSigningKey('ed25519:forger', realRandom);
    const badKey = forger.sign(room.draft('m.room.join_rules', '', { join_rule: 'public' }), room.version, {
      key: strange,
    });
    const isOf = (type: string) => (event: JsonValue) => at(event, 'type') === type;
    const without = (type: string) => (honest: JsonObject) => ({
      ...honest,
      state: listAt(honest, 'state').filter((event) => !isOf(type)(event)),
      auth_chain: listAt(honest, 'auth_chain').filter((event) => !isOf(type)(event)),
    });
    const lies: ((honest: JsonObject) => JsonObject)[] = [
      without('m.room.create'),
      without('m.room.join_rules'),
      (honest) => ({ ...honest, state: [], auth_chain: [] }),
      (honest) => ({ ...honest, state: 'all of it' }),
      ({ state: _, ...honest }) => honest,
      (honest) => ({ ...honest, state: [...foreign.state.values()].map(({ pdu }) => pdu) }),
      (honest) => ({
        ...without('m.room.join_rules')(honest),
        state: [...listAt(without('m.room.join_rules')(honest), 'state'), badKey.pdu],
      }),
      // A join rule that only an intruder set.
      (honest) => {
        const cleaned = without('m.room.join_rules')(honest);
        const intruder = forger.userId('intruder');
        const rule = forger.sign(
          room.draft('m.room.join_rules', '', { join_rule: 'public' }, intruder),
          room.version,
        );
        return { ...cleaned, state: [...listAt(cleaned, 'state'), rule.pdu] };
      },
    ];
    for (const [index, answer] of lies.entries()) {
      room.serve({ answer });
      await refused(502, 'M_UNKNOWN', joinBy(room.roomId)).catch((error: unknown) => {
        throw new Error(`lie ${index}`, { cause: error });
      });
      assert.equal((await li.get(v3`/rooms/${room.roomId}/state`)).status, 403);
    }
    room.serve();
    await join(li, room.roomId, ['mallory.test']);
    assert.equal(await membershipOf(li, room.roomId, mal), 'join');
  });

  it('does not smuggle in state that somebody else could not have set', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    const forgedKeys = { key: generateSigningKey('ed25519:forger', realRandom) };
    const intruder = forger.userId('intruder');
    const smuggled = [
      forger.sign(room.draft('m.room.topic', '', { topic: 'smuggled' }, intruder), room.version),
      forger.sign(room.draft('m.room.name', '', { name: 'smuggled' }), room.version, forgedKeys),
      forger.sign(room.draft('m.room.member', '@ceo:acme.test', { membership: 'join' }), room.version),
    ];
    room.serve({
      answer: (honest) => ({
        ...honest,
        state: [...listAt(honest, 'state'), ...smuggled.map(({ pdu }) => pdu)],
      }),
    });
    await join(li, room.roomId, ['mallory.test']);
    const state = JSON.stringify(await stateOf(li, room.roomId));
    assert.ok(!state.includes('m.room.topic') && !state.includes('m.room.name') && !state.includes('ceo'));
  });

  it('is left by one who was invited, by a template that is checked, or without it', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    const refusalOf = async (change: (event: JsonObject) => JsonObject): Promise<string[]> => {
      await inviteLi(room);
      await invitation(li, room.roomId);
      forger.asked.length = 0;
      forger.answers.set('make_leave', () => ({
        status: 200,
        body: {
          room_version: '12',
          event: change(room.draft('m.room.member', li.userId, { membership: 'leave' }, li.userId)),
        },
      }));
      forger.answers.set('send_leave', () => ({ status: 200, body: {} }));
      await leave(li, room.roomId);
      assert.equal(await isInvited(li, room.roomId), false);
      return forger.asked.flatMap((asked) => (asked.includes('send_leave') ? ['send_leave'] : []));
    };
    assert.deepEqual(await refusalOf((event) => event), ['send_leave']);
    assert.deepEqual(await refusalOf((event) => ({ ...event, content: { membership: 'join' } })), []);
    assert.deepEqual(await refusalOf((event) => ({ ...event, sender: mal })), []);
  });

  /** Invites li by hand; the answer. */
  async function inviteLi(room: ForgedRoom, change: (parts: InviteParts) => InviteParts = (parts) => parts) {
    const draft = room.draft('m.room.member', li.userId, { membership: 'invite' });
    const honest = forger.sign(draft, room.version);
    const parts = change({
      ...honest,
      roomId: room.roomId,
      body: {
        room_version: room.version.id,
        event: honest.pdu,
        invite_room_state: [...room.state.values()].map(({ pdu }) => pdu),
      },
    });
    const path = `${encodeURIComponent(parts.roomId)}/${encodeURIComponent(parts.eventId)}`;
    return forger.ask(acme, 'PUT', `/_matrix/federation/v2/invite/${path}`, parts.body);
  }

  interface InviteParts {
    readonly eventId: string;
    readonly pdu: Pdu;
    readonly roomId: string;
    readonly body: JsonObject;
  }

  const isInvalid = ({ status, body }: Reply, index: number): void => {
    const shown = `case ${index}: ${JSON.stringify(body)}`;
    assert.deepEqual([status, body['errcode']], [400, 'M_INVALID_PARAM'], shown);
  };

  it('gets a signature under an invitation only if it is one', async () => {
    for (const version of ['10', '12']) {
      const room = new ForgedRoom(forger, version, mal);
      const other = new ForgedRoom(forger, version, mal);
      /** The same invitation with another event in it. */
      const withEvent =
        (type: string, stateKey: string, content: JsonObject, sender = mal, key = forger.signingKey) =>
        (parts: InviteParts): InviteParts => {
          const event = forger.sign(room.draft(type, stateKey, content, sender), room.version, { key });
          return { ...parts, eventId: event.eventId, body: { ...parts.body, event: event.pdu } };
        };
      const member = (content: JsonObject, stateKey = li.userId, sender = mal, key = forger.signingKey) =>
        withEvent('m.room.member', stateKey, content, sender, key);
      const strange = generateSigningKey('ed25519:forger', realRandom);
      const bad = [
        withEvent('m.room.power_levels', '', { users: {} }),
        withEvent('m.room.name', li.userId, { membership: 'invite' }),
        member({ membership: 'join' }),
        member({ membership: 'ban' }),
        member({}),
        member({ membership: 'invite' }, li.userId, '@other:bolt.test'),
        member({ membership: 'invite' }, '@other:bolt.test'),
        member({ membership: 'invite' }, 'li'),
        member({ membership: 'invite' }, li.userId, mal, strange),
        // A third-party invitation needs the signature of its sender's server here as well.
        member({ membership: 'invite', third_party_invite: { signed: {} } }, li.userId, mal, strange),
        (parts: InviteParts) => ({ ...parts, eventId: '$other' }),
        (parts: InviteParts) => ({ ...parts, roomId: other.roomId }),
      ];
      for (const [index, change] of bad.entries()) isInvalid(await inviteLi(room, change), index);
      assert.equal(await isInvited(li, room.roomId), false);
      const unknown = await inviteLi(room, member({ membership: 'invite' }, '@nobody:acme.test'));
      assert.deepEqual([unknown.status, unknown.body['errcode']], [404, 'M_NOT_FOUND']);
      const good = await inviteLi(room);
      assert.equal(good.status, 200);
      const signatures = at(good.body, 'event', 'signatures');
      assert.ok(isObject(signatures));
      assert.deepEqual(Object.keys(signatures).sort(), ['acme.test', 'mallory.test']);
      assert.equal(await isInvited(li, room.roomId), true);
    }
  });

  it('invites to rooms of version 12 only with a create event that is the room’s', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    const other = new ForgedRoom(forger, '12', mal);
    const stateIs = (change: (state: JsonValue[]) => JsonValue[]) => (parts: InviteParts) => {
      const state = parts.body['invite_room_state'];
      assert.ok(Array.isArray(state));
      return { ...parts, body: { ...parts.body, invite_room_state: change(state) } };
    };
    const [create, ...rest] = [...room.state.values()].map(({ pdu }) => pdu);
    assert.ok(create);
    const posing = forger.sign(room.draft('m.room.create', 'posing', { room_version: '12' }), room.version);
    const bad = [
      stateIs(() => rest),
      stateIs(() => []),
      stateIs(() => [other.create.pdu, ...rest]),
      stateIs(() => [{ ...create, content: { room_version: '11' } }, ...rest]),
      stateIs(() => [{ ...create, signatures: {} }, ...rest]),
      stateIs(() => [posing.pdu, ...rest]),
      stateIs((state) => [...state, 'an event']),
      stateIs((state) => [...state, { type: 'm.room.name', state_key: '', sender: mal, content: {} }]),
      stateIs((state) => [...state, ...[...other.state.values()].slice(1).map(({ pdu }) => pdu)]),
      stateIs((state) => Array.from({ length: 200 }, () => state).flat()),
    ];
    for (const [index, change] of bad.entries()) isInvalid(await inviteLi(room, change), index);
    const version = await inviteLi(room, (parts) => ({
      ...parts,
      body: { ...parts.body, room_version: '2' },
    }));
    assert.deepEqual([version.status, version.body['errcode']], [400, 'M_INCOMPATIBLE_ROOM_VERSION']);
    assert.equal(await isInvited(li, room.roomId), false);
  });

  it('does not break the /sync of those it invites', async () => {
    const room = new ForgedRoom(forger, '11', mal);
    const odd: JsonValue[] = [
      { type: 'm.room.name', state_key: '', sender: mal, content: { name: { not: ['a', 'name'] } } },
      { type: 'm.room.name', state_key: '', sender: mal, content: 7 },
      { type: 'm.room.topic', sender: mal, content: { topic: 'no state key' } },
      { type: 'm.room.member', state_key: '@ceo:acme.test', sender: mal, content: { membership: 'join' } },
      { type: 'm.secret', state_key: '', sender: mal, content: { x: 'x'.repeat(1_000) } },
      {},
    ];
    const reply = await inviteLi(room, (parts) => ({
      ...parts,
      body: { ...parts.body, invite_room_state: odd },
    }));
    assert.equal(reply.status, 200);
    const shown = await invitation(li, room.roomId);
    assert.deepEqual(
      shown.map((event) => [event['type'], event['state_key']]),
      [
        ['m.room.name', ''],
        ['m.room.member', li.userId],
      ],
    );
    // The same invitation once more is no news, another one replaces it: there is one.
    const since = textAt(await li.sync(), 'next_batch');
    let said: InviteParts | undefined;
    const again = (parts: InviteParts): InviteParts => {
      said ??= parts;
      return said;
    };
    await inviteLi(room, again);
    const first = await li.sync(since);
    assert.ok(at(first, 'rooms', 'invite', room.roomId) !== undefined);
    await inviteLi(room, again);
    const second = await li.sync(textAt(first, 'next_batch'));
    assert.equal(at(second, 'rooms', 'invite'), undefined);
    const body = await ok(li.get(v3`/sync`, { timeout: 0 }));
    const invites = at(body, 'rooms', 'invite');
    assert.ok(isObject(invites));
    assert.equal(Object.keys(invites).filter((roomId) => roomId === room.roomId).length, 1);
    await leave(li, room.roomId);
    assert.equal(await isInvited(li, room.roomId), false);
  });

  it('cannot make an island ask for ever', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    room.serve();
    await join(li, room.roomId, ['mallory.test']);
    forger.asked.length = 0;
    // An endless history: each answer names another event that nobody has.
    let count = 0;
    const invented = (): Pdu => {
      count += 1;
      const draft = room.draft('m.room.message', '', { body: `invented ${count}` });
      const { state_key: _, ...message } = draft;
      const prev = `$${String(count).padStart(43, 'x')}`;
      return forger.sign({ ...message, prev_events: [prev] }, room.version).pdu;
    };
    forger.answers.set('get_missing_events', () => ({
      status: 200,
      body: { events: Array.from({ length: 100 }, invented) },
    }));
    const { pdu } = await forger.forge(acme, room.roomId, {
      type: 'm.room.message',
      sender: mal,
      content: { body: 'come and get it' },
      prev: [`$${'y'.repeat(43)}`],
    });
    await forger.send(acme, [pdu]);
    await network.processed();
    assert.ok(forger.asked.length < 60, `asked ${forger.asked.length} times`);
    await li.say(room.roomId, 'unimpressed');
    assert.equal((await textsOf(li, room.roomId)).at(-1), 'unimpressed');
  });

  it('does not get events into the past that nobody asked for', async () => {
    const room = new ForgedRoom(forger, '12', mal);
    room.serve();
    await join(li, room.roomId, ['mallory.test']);
    const { pdu } = await forger.forge(acme, room.roomId, {
      type: 'm.room.message',
      sender: mal,
      content: { body: 'it was always so' },
    });
    forger.answers.set('backfill', () => ({ status: 200, body: { pdus: [pdu] } }));
    assert.deepEqual(await textsOf(li, room.roomId), []);
  });
});

function objectAt(value: JsonObject, key: string): JsonObject {
  const found = value[key];
  assert.ok(isObject(found));
  return found;
}
