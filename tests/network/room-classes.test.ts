import assert from 'node:assert/strict';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, ok, refused, v3 } from '../support/client.ts';
import { codesOf } from '../support/codes.ts';
import { agree, invite, join, moderate, setState, stateContent } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

const classType = 'org.archipelago.room_class';
const aclType = 'm.room.server_acl';

describe('rooms for certain partners', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let li: Client;
  let ann: Client;
  let bo: Client;
  let cy: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test', 'cava.test'], {
      internalDepartments: ['board'],
    });
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    li = await Client.create(acme, 'li');
    ann = await Client.create(acme, 'ann');
    acme.homeserver.people.setDepartments('ann', ['board']);
    bo = await Client.create(bolt, 'bo');
    cy = await Client.create(network.island('cava.test'), 'cy');
  });

  after(() => network.stop());

  afterEach(() => {
    for (const name of ['bolt.test', 'cava.test']) setPolicy(acme, name, {});
  });

  function rooms(policy: Partial<PartnerPolicy['rooms']>): void {
    for (const name of ['bolt.test', 'cava.test'])
      setPolicy(acme, name, { rooms: { ...defaultPartnerPolicy.rooms, ...policy } });
  }

  async function deskWithBo(options: JsonObject = {}): Promise<string> {
    const roomId = await li.createRoom({ preset: 'private_chat', ...options });
    await invite(li, roomId, bo);
    await join(bo, roomId);
    await network.settled();
    return roomId;
  }

  const put = (client: Client, roomId: string, type: string, content: JsonObject) =>
    client.put(v3`/rooms/${roomId}/state/${type}/`, content);
  const askIn = (client: Client, roomId: string, user: Client) =>
    client.post(v3`/rooms/${roomId}/invite`, { user_id: user.userId });

  describe('by their class', () => {
    it('become shared at the first invitation, or when they are made, by whoever has the power to say so', async () => {
      const roomId = await deskWithBo();
      const shared = { class: 'shared', partners: ['bolt.test'], by_invitation: true };
      assert.deepEqual(await stateContent(bo, roomId, classType), shared);
      const made = await li.createRoom({ invite: [bo.userId] });
      assert.deepEqual(await stateContent(li, made, classType), shared);
      // A member without power invites, and nothing is said in the name of those who run the room.
      const open = await li.createRoom({ preset: 'private_chat' });
      const max = await Client.create(acme, 'max');
      await invite(li, open, max);
      await join(max, open);
      await invite(max, open, bo);
      assert.deepEqual(await stateContent(li, open, classType), {});
      await join(bo, open);
      await agree(network, open, [li, bo]);
    });

    it('stay for those whom people chose', async () => {
      const initial = [{ type: classType, content: { class: 'shared', partners: ['bolt.test'] } }];
      const roomId = await li.createRoom({ initial_state: initial });
      assert.deepEqual(await codesOf(askIn(li, roomId, cy)), ['room_not_shared_with_partner']);
      await invite(li, roomId, bo);
      assert.deepEqual(await stateContent(li, roomId, classType), {
        class: 'shared',
        partners: ['bolt.test'],
      });
    });

    it('are refused a class that is none', async () => {
      const roomId = await li.createRoom();
      for (const content of [
        {},
        { class: 'secret' },
        { class: 'shared' },
        { class: 'shared', partners: 'bolt.test' },
        { class: 'shared', partners: ['not a server'] },
        { class: 'shared', partners: [1] },
        { class: 'internal', partners: ['bolt.test'] },
        { class: 'shared', partners: [], by_invitation: 'yes' },
      ] as JsonObject[]) {
        await refused(400, 'M_BAD_JSON', put(li, roomId, classType, content));
        await refused(
          400,
          'M_BAD_JSON',
          li.post(v3`/createRoom`, { initial_state: [{ type: classType, content }] }),
        );
      }
      await refused(
        400,
        'M_BAD_JSON',
        li.put(v3`/rooms/${roomId}/state/${classType}/${'x'}`, { class: 'internal' }),
      );
      await ok(put(li, roomId, classType, { class: 'internal' }));
    });

    it('begin as internal for departments that the admin names, unless their maker says otherwise', async () => {
      const roomId = await ann.createRoom();
      assert.deepEqual(await stateContent(ann, roomId, classType), { class: 'internal' });
      assert.deepEqual(await codesOf(askIn(ann, roomId, bo)), ['room_internal']);
      assert.deepEqual(await codesOf(ann.post(v3`/createRoom`, { invite: [bo.userId] })), ['room_internal']);
      const shared = [{ type: classType, content: { class: 'shared', partners: ['bolt.test'] } }];
      await ann.createRoom({ invite: [bo.userId], initial_state: shared });
      // From internal to shared it takes power, and partners who may be together.
      await put(ann, roomId, classType, { class: 'shared', partners: ['bolt.test'] });
      await invite(ann, roomId, bo);
      assert.deepEqual(await codesOf(put(ann, roomId, classType, { class: 'internal' })), ['room_internal']);
      const nobody = { class: 'shared', partners: ['bolt.test', 'nobody.test'] };
      assert.ok((await codesOf(put(ann, roomId, classType, nobody))).includes('not_a_partner'));
      rooms({ thirdParties: 'deny' });
      const both = { class: 'shared', partners: ['bolt.test', 'cava.test'] };
      assert.deepEqual(await codesOf(put(ann, roomId, classType, both)), ['third_party_denied']);
    });

    it('are not opened to us, or to others, by what a partner writes', async () => {
      const roomId = await bo.createRoom({
        initial_state: [
          { type: classType, content: { class: 'shared', partners: ['acme.test', 'cava.test'] } },
        ],
      });
      await invite(bo, roomId, li);
      await join(li, roomId);
      await setState(bo, roomId, 'm.room.power_levels', {
        ...(await stateContent(bo, roomId, 'm.room.power_levels')),
        users: { [li.userId]: 100 },
      });
      await network.settled();
      rooms({ thirdParties: 'deny' });
      assert.deepEqual(await codesOf(askIn(li, roomId, cy)), ['third_party_denied']);
    });
  });

  describe('by their ACL', () => {
    it('name those who are in, and keep whom people denied', async () => {
      const roomId = await deskWithBo();
      const acl = { allow: ['acme.test', 'bolt.test'], deny: [], allow_ip_literals: false };
      assert.deepEqual(await stateContent(bo, roomId, aclType), acl);
      await setState(li, roomId, aclType, { allow: ['*'], deny: ['evil.test'], allow_ip_literals: true });
      await network.settled();
      assert.deepEqual(await stateContent(li, roomId, aclType), {
        allow: ['acme.test', 'bolt.test'],
        deny: ['evil.test'],
        allow_ip_literals: true,
      });
      await invite(li, roomId, cy);
      await join(cy, roomId);
      await agree(network, roomId, [li, bo, cy]);
      assert.deepEqual((await stateContent(cy, roomId, aclType))['allow'], [
        'acme.test',
        'bolt.test',
        'cava.test',
      ]);
    });

    it('are written once, by one island, and not when nothing changes', async () => {
      const roomId = await deskWithBo();
      await setState(li, roomId, 'm.room.power_levels', {
        ...(await stateContent(li, roomId, 'm.room.power_levels')),
        users: { [bo.userId]: 100 },
      });
      await network.settled();
      const first = (await acme.homeserver.engine.view(roomId))?.get(aclType, '');
      for (const island of [acme, bolt]) assert.equal(await island.homeserver.engine.keepAcl(roomId), false);
      await network.restart('acme.test');
      await network.linked('acme.test', 'bolt.test');
      await network.linked('acme.test', 'cava.test');
      await network.settled();
      assert.equal((await acme.homeserver.engine.view(roomId))?.get(aclType, '')?.eventId, first?.eventId);
      assert.equal(first?.pdu.sender, li.userId);
    });

    it('leave out a partner that is suspended, and take it back', async () => {
      const roomId = await deskWithBo();
      await invite(li, roomId, cy);
      await join(cy, roomId);
      await network.settled();
      const allowed = async () => (await stateContent(li, roomId, aclType))['allow'];
      await acme.homeserver.partnerActions.suspend('cava.test', { by: 'test', keepRooms: true });
      // What is for cava waits until it is back.
      const isOut = async () => JSON.stringify(await allowed()) === '["acme.test","bolt.test"]';
      await network.until(isOut, 'the ACL still names the suspended partner');
      await acme.homeserver.partnerActions.resume('cava.test', { by: 'test' });
      await network.linked('acme.test', 'cava.test');
      await network.settled();
      assert.deepEqual(await allowed(), ['acme.test', 'bolt.test', 'cava.test']);
    });

    it('do not shut out a partner for good that was taken out of the configuration and put back', async () => {
      const roomId = await deskWithBo();
      rooms({ thirdParties: 'allow' });
      const partners = [...acme.partners];
      acme.setPartners(partners.filter(({ serverName }) => serverName !== 'bolt.test'));
      await acme.homeserver.federation.processed();
      assert.deepEqual((await stateContent(li, roomId, aclType))['allow'], ['acme.test', 'bolt.test']);
      acme.setPartners(partners);
      await network.linked('acme.test', 'bolt.test');
      const eventId = await bo.say(roomId, 'back again');
      await network.settled();
      await ok(li.get(v3`/rooms/${roomId}/event/${eventId}`));
    });

    it('never shut us out, and are not written where nobody of ours may', async () => {
      const roomId = await deskWithBo();
      await setState(li, roomId, aclType, { allow: ['*'], deny: ['acme.*'] });
      await network.settled();
      // What people decided about us stays as it is.
      assert.deepEqual(await stateContent(li, roomId, aclType), { allow: ['*'], deny: ['acme.*'] });
      const theirs = await bo.createRoom({ preset: 'private_chat' });
      await invite(bo, theirs, li);
      await join(li, theirs);
      await network.settled();
      assert.equal(await acme.homeserver.engine.keepAcl(theirs), false);
    });

    it('follow a partner whose people were all removed', async () => {
      const roomId = await deskWithBo();
      await put(li, roomId, classType, { class: 'shared', partners: [] }).then(async (answer) => {
        assert.equal(answer.status, 403, 'a partner that is in the room was left out of its class');
      });
      await moderate(li, 'kick', roomId, bo.userId);
      await ok(put(li, roomId, classType, { class: 'shared', partners: [] }));
      await network.settled();
      assert.deepEqual((await stateContent(li, roomId, aclType))['allow'], ['acme.test']);
    });
  });

  describe('with third_parties: deny', () => {
    it('are by invitation only', async () => {
      const roomId = await deskWithBo();
      const own = await li.createRoom({ preset: 'private_chat' });
      rooms({ thirdParties: 'deny' });
      const rule = (content: JsonObject) => put(li, roomId, 'm.room.join_rules', content);
      const members = (room: string) => ({
        join_rule: 'restricted',
        allow: [{ type: 'm.room_membership', room_id: room }],
      });
      const hub = await li.createRoom({ preset: 'public_chat' });
      await ok(cy.post(`${v3`/join/${hub}`}?via=acme.test`));
      await network.settled();
      for (const content of [
        { join_rule: 'public' },
        { join_rule: 'knock' },
        members(hub),
        members('!unknown:bolt.test'),
      ])
        assert.deepEqual(await codesOf(rule(content)), ['join_rule_denied'], JSON.stringify(content));
      await ok(rule(members(own)));
      await ok(rule({ join_rule: 'invite' }));
      assert.deepEqual(
        await codesOf(li.post(v3`/createRoom`, { preset: 'public_chat', invite: [bo.userId] })),
        ['join_rule_denied'],
      );
    });

    it('let theirs invite nobody, where the policy limits their levels', async () => {
      rooms({ thirdParties: 'deny', maxRemotePowerLevel: 0 });
      const roomId = await li.createRoom({ preset: 'private_chat', invite: [bo.userId] });
      const levels = await stateContent(li, roomId, 'm.room.power_levels');
      assert.equal(levels['invite'], 50);
      assert.deepEqual(await codesOf(put(li, roomId, 'm.room.power_levels', { ...levels, invite: 0 })), [
        'invite_level_denied',
      ]);
      await join(bo, roomId);
      await refused(403, 'M_FORBIDDEN', askIn(bo, roomId, cy));
    });
  });
});

describe('the encryption of an island', () => {
  let network: TestNetwork;

  afterEach(() => network.stop());

  async function client(encryption: 'required' | 'forbidden'): Promise<Client> {
    network = await TestNetwork.start(['acme.test'], {
      encryption: { encryption, rule: 'homeserver.yaml:3' },
      publicBaseurl: 'https://acme.test/',
    });
    return Client.create(network.island('acme.test'), 'li');
  }

  const wellKnown = async (li: Client) =>
    at(await ok(li.get('/.well-known/matrix/client')), 'io.element.e2ee');
  const send = (li: Client, roomId: string, type: string, content: JsonObject) =>
    li.put(v3`/rooms/${roomId}/send/${type}/${`t${Math.random()}`}`, content);
  const algorithm = { algorithm: 'm.megolm.v1.aes-sha2' };

  it('that is required makes every room encrypted and takes nothing in the clear', async () => {
    const li = await client('required');
    assert.deepEqual(await wellKnown(li), { default: true });
    const roomId = await li.createRoom({ preset: 'public_chat' });
    assert.deepEqual(await stateContent(li, roomId, 'm.room.encryption'), algorithm);
    const text = { msgtype: 'm.text', body: 'in the clear' };
    assert.deepEqual(await codesOf(send(li, roomId, 'm.room.message', text)), ['encryption_required']);
    await ok(send(li, roomId, 'm.room.encrypted', { ...algorithm, ciphertext: 'x' }));
    await ok(send(li, roomId, 'm.reaction', {}));
  });

  it('that is forbidden makes no room encrypted', async () => {
    const li = await client('forbidden');
    assert.deepEqual(await wellKnown(li), { default: false, force_disable: true });
    const encrypted = { initial_state: [{ type: 'm.room.encryption', content: algorithm }] };
    assert.deepEqual(await codesOf(li.post(v3`/createRoom`, encrypted)), ['encryption_forbidden']);
    const roomId = await li.createRoom();
    const enable = li.put(v3`/rooms/${roomId}/state/m.room.encryption/`, algorithm);
    assert.deepEqual(await codesOf(enable), ['encryption_forbidden']);
    assert.deepEqual(await codesOf(send(li, roomId, 'm.room.encrypted', { ...algorithm, ciphertext: 'x' })), [
      'encryption_forbidden',
    ]);
    await li.say(roomId, 'in the clear');
  });
});
