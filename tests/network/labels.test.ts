import assert from 'node:assert/strict';
import type { PartnerConfig } from '../../config/config.ts';
import { defaultPartnerPolicy, type LabelPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, textAt, v3 } from '../support/client.ts';
import {
  invitation,
  invite,
  join,
  leave,
  moderate,
  setState,
  stateContent,
} from '../support/conversation.ts';
import { eventOf, nextBatch, stateOf, timelineOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

const external = 'org.archipelago.external';

describe('people of partners, as our people see them', () => {
  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    await setName(li, 'Li');
    await setName(bo, 'Bo');
    name({ displayName: 'Bolt Ltd', relation: 'supplier' });
    roomId = await li.createRoom({ preset: 'private_chat', name: 'Purchasing' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
  });

  after(() => network.stop());

  afterEach(() => name({ displayName: 'Bolt Ltd', relation: 'supplier' }));

  function setName(client: Client, displayname: string): Promise<JsonObject> {
    return ok(client.put(v3`/profile/${client.userId}/displayname`, { displayname }));
  }

  /** What the files of acme.test say of bolt.test. */
  function name(entry: Partial<PartnerConfig>, label: LabelPolicy = { show: true }): void {
    const island = network.island('acme.test');
    const policy = { ...defaultPartnerPolicy, label };
    island.setPartners(island.partners.map((partner) => ({ ...partner, ...entry, policy })));
  }

  function nameOf(event: JsonObject | undefined): unknown {
    return at(event, 'content', 'displayname');
  }

  /** The name of a member by every way in which a client reads a room. */
  async function namesOf(client: Client, userId: string): Promise<Record<string, unknown>> {
    const sync = await client.sync();
    const state = await client.get(v3`/rooms/${roomId}/state`);
    const members = await ok(client.get(v3`/rooms/${roomId}/members`));
    const messages = await ok(client.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 100 }));
    const member = eventOf(listAt(members, 'chunk'), 'm.room.member', userId);
    const eventId = textAt(member, 'event_id');
    const context = await ok(client.get(v3`/rooms/${roomId}/context/${eventId}`));
    const joined = await ok(client.get(v3`/rooms/${roomId}/joined_members`));
    return {
      sync: nameOf(
        eventOf([...timelineOf(sync, roomId).reverse(), ...stateOf(sync, roomId)], 'm.room.member', userId),
      ),
      state: nameOf(eventOf(listAt(state.json), 'm.room.member', userId)),
      members: nameOf(member),
      messages: nameOf(eventOf(listAt(messages, 'chunk'), 'm.room.member', userId)),
      event: nameOf(await ok(client.get(v3`/rooms/${roomId}/event/${eventId}`))),
      context: nameOf(eventOf([context['event'] as JsonObject], 'm.room.member', userId)),
      contextState: nameOf(eventOf(listAt(context, 'state'), 'm.room.member', userId)),
      entry: (await stateContent(client, roomId, 'm.room.member', userId))['displayname'],
      joined: at(joined, 'joined', userId, 'display_name'),
      profile: (await ok(client.get(v3`/profile/${userId}`)))['displayname'],
      field: (await ok(client.get(v3`/profile/${userId}/displayname`)))['displayname'],
    };
  }

  it('carry what the partner is called wherever a client reads their name, and ours never do', async () => {
    const theirs = await namesOf(li, bo.userId);
    for (const [way, shown] of Object.entries(theirs)) assert.equal(shown, 'Bo (Bolt Ltd)', way);
    for (const [way, shown] of Object.entries(await namesOf(li, li.userId))) assert.equal(shown, 'Li', way);
    // The other island calls us what it likes: here nothing but our server's name.
    for (const [way, shown] of Object.entries(await namesOf(bo, li.userId)))
      assert.equal(shown, 'Li (acme.test)', way);
  });

  it('say of where they are, in member events and profiles', async () => {
    const about = { server_name: 'bolt.test', label: 'Bolt Ltd', relation: 'supplier' };
    const members = listAt(await ok(li.get(v3`/rooms/${roomId}/members`)), 'chunk');
    assert.deepEqual(at(eventOf(members, 'm.room.member', bo.userId), 'unsigned', external), about);
    assert.equal(at(eventOf(members, 'm.room.member', li.userId), 'unsigned', external), undefined);
    assert.deepEqual((await ok(li.get(v3`/profile/${bo.userId}`)))[external], about);
    assert.equal((await ok(li.get(v3`/profile/${li.userId}`)))[external], undefined);
  });

  it('carry it in invitations and in what a name was before', async () => {
    const shared = await bo.createRoom({ preset: 'private_chat' });
    await invite(bo, shared, li);
    const shown = await invitation(li, shared);
    assert.equal(nameOf(eventOf(shown, 'm.room.member', bo.userId)), 'Bo (Bolt Ltd)');
    assert.equal(nameOf(eventOf(shown, 'm.room.member', li.userId)), undefined);
    await leave(li, shared);
    await network.settled();
    const since = nextBatch(await li.sync());
    await setName(bo, 'Bob');
    await network.settled();
    const change = eventOf(timelineOf(await li.sync(since), roomId), 'm.room.member', bo.userId);
    assert.equal(nameOf(change), 'Bob (Bolt Ltd)');
    assert.equal(at(change, 'unsigned', 'prev_content', 'displayname'), 'Bo (Bolt Ltd)');
    await setName(bo, 'Bo');
    await network.settled();
  });

  it('are the same as ever in what was signed, on disk and between the islands', async () => {
    for (const server of ['acme.test', 'bolt.test']) {
      const view = await network.island(server).homeserver.engine.view(roomId);
      assert.equal(view?.members.get(bo.userId)?.pdu.content['displayname'], 'Bo', server);
      assert.equal(view?.members.get(li.userId)?.pdu.content['displayname'], 'Li', server);
    }
    const memberships = await network.island('acme.test').homeserver.db.memberships.ofUser(bo.userId);
    assert.deepEqual(
      memberships.map(({ displayName }) => displayName),
      ['Bo'],
    );
  });

  it('keep their real names in what a client of ours writes of them after reading them', async () => {
    const other = await li.createRoom({ preset: 'private_chat' });
    await invite(li, other, bo);
    await join(bo, other, ['acme.test']);
    await network.settled();
    const read = await stateContent(li, other, 'm.room.member', bo.userId);
    assert.equal(read['displayname'], 'Bo (Bolt Ltd)');
    await setState(li, other, 'm.room.member', { ...read, membership: 'ban' }, bo.userId);
    await network.settled();
    const view = await network.island('bolt.test').homeserver.engine.view(other);
    assert.equal(view?.members.get(bo.userId)?.pdu.content['displayname'], 'Bo');
    await moderate(li, 'unban', other, bo.userId);
  });

  it('cannot hide it: not by the direction of writing, not by length, not by line breaks', async () => {
    const shownAs = async (displayname: string): Promise<string> => {
      await setName(bo, displayname);
      await network.settled();
      return textAt(await stateContent(li, roomId, 'm.room.member', bo.userId), 'displayname');
    };
    assert.equal(await shownAs('Bo\u202e\n\n\u2067x'), 'Bo x (Bolt Ltd)');
    assert.equal(await shownAs(`Bo${' '.repeat(200)}`), 'Bo (Bolt Ltd)');
    assert.equal(await shownAs('x'.repeat(200)), `${'x'.repeat(80)}… (Bolt Ltd)`);
    assert.equal(await shownAs('Li (ACME Corp)'), 'Li (ACME Corp) (Bolt Ltd)');
    assert.equal(await shownAs('Bo (Bolt Ltd)'), 'Bo (Bolt Ltd)');
    assert.equal(await shownAs('Bo'), 'Bo (Bolt Ltd)');
  });

  it('carry another suffix, or none, as soon as the configuration says so', async () => {
    name({ displayName: undefined, relation: undefined });
    assert.deepEqual(new Set(Object.values(await namesOf(li, bo.userId))), new Set(['Bo (bolt.test)']));
    name({}, { show: true, suffix: ' [B]' });
    assert.deepEqual(new Set(Object.values(await namesOf(li, bo.userId))), new Set(['Bo [B]']));
    name({}, { show: false });
    assert.deepEqual(new Set(Object.values(await namesOf(li, bo.userId))), new Set(['Bo']));
    assert.equal((await ok(li.get(v3`/profile/${bo.userId}`)))[external], undefined);
  });
});
