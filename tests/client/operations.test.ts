import assert from 'node:assert/strict';
import { isObject } from '../../protocol/json.ts';
import { Client, clientServerApi } from '../support/client.ts';
import type { Operation } from '../support/specification.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

/** The operations of the Client-Server API that an island serves, by their ids in the OpenAPI files. */
const served = [
  // Who is there, and what can it do
  'getVersions',
  'getWellknown',
  'getCapabilities',
  'getTurnServer',
  'getProtocols',
  // Sessions and accounts
  'getLoginFlows',
  'login',
  'logout',
  'logout_all',
  'getTokenOwner',
  'register',
  'checkUsernameAvailability',
  'changePassword',
  'deactivateAccount',
  'getAccount3PIDs',
  'getDevices',
  'getDevice',
  'updateDevice',
  'deleteDevice',
  'deleteDevices',
  // Users
  'getUserProfile',
  'getProfileField',
  'setProfileField',
  'deleteProfileField',
  'setAccountData',
  'getAccountData',
  'setAccountDataPerRoom',
  'getAccountDataPerRoom',
  'getRoomTags',
  'setRoomTag',
  'deleteRoomTag',
  'defineFilter',
  'getFilter',
  'getPushRules',
  'getPushRulesGlobal',
  'getPushRule',
  'isPushRuleEnabled',
  'getPushRuleActions',
  // Rooms
  'createRoom',
  'joinRoom',
  'joinRoomById',
  'inviteUser',
  'inviteBy3PID',
  'leaveRoom',
  'forgetRoom',
  'kick',
  'ban',
  'unban',
  'getJoinedRooms',
  'setRoomAlias',
  'getRoomIdByAlias',
  'deleteRoomAlias',
  'getLocalAliases',
  // Events
  'sync',
  'sendMessage',
  'setRoomStateWithKey',
  'redactEvent',
  'getOneRoomEvent',
  'getRoomState',
  'getRoomStateWithKey',
  'getMembersByRoom',
  'getJoinedMembersByRoom',
  'getRoomEvents',
  'getEventContext',
  'setTyping',
  'postReceipt',
  'setReadMarker',
  // Media
  'uploadContent',
  'getConfig',
  'getConfigAuthed',
  'getContentAuthed',
  'getContentOverrideNameAuthed',
];

describe('the operations of the Client-Server API', () => {
  let network: TestNetwork;
  let island: TestIsland;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    island = network.island('acme.test');
  });

  after(() => network.stop());

  /** A path that could be asked for. */
  const example = (template: string): string =>
    template.replace(/\{(\w+)\}/g, (_all, name: string) => encodeURIComponent(examples[name] ?? 'something'));

  const examples: Readonly<Record<string, string>> = {
    userId: '@nobody:acme.test',
    roomId: '!nothing:acme.test',
    roomIdOrAlias: '!nothing:acme.test',
    roomAlias: '#nothing:acme.test',
    eventId: '$nothing',
    serverName: 'acme.test',
    stateKey: '',
  };

  /** Where the specification lists no token, or none as one of the ways, nothing must be presented. */
  const needsToken = ({ definition: { security } }: Operation): boolean =>
    Array.isArray(security) && !security.some((way) => isObject(way) && Object.keys(way).length === 0);

  /** Without a token these are for who forgot the password and has an e-mail address: nobody here. */
  const byPasswordAlone = new Set(['changePassword', 'deactivateAccount']);

  it('are those of the list, and every other one is answered with M_UNRECOGNIZED', async () => {
    const api = await clientServerApi();
    if (api === undefined) return;
    // With a token that is none: served operations refuse it, or need none, and nothing is changed by asking.
    const client = Client.of(island, { access_token: 'none' });
    const found = new Set<string>();
    for (const operation of api.operations) {
      const { status, body } = await client.request(operation.method, example(operation.path), {
        ...(operation.method === 'GET' ? {} : { body: {} }),
      });
      if (body['errcode'] !== 'M_UNRECOGNIZED') found.add(operation.id);
      else assert.ok(status === 404 || status === 405, operation.id);
      if (status === 200) assert.equal(needsToken(operation), false, operation.id);
    }
    assert.deepEqual([...found].sort(), [...served].sort());
    assert.equal(new Set(api.operations.map(({ method, path }) => `${method} ${path}`)).size, 164);
  });

  it('that need no token in the specification need none here, and all others do', async () => {
    const api = await clientServerApi();
    if (api === undefined) return;
    const client = Client.anonymous(island);
    for (const operation of api.operations) {
      const { method, path, id } = operation;
      if (!served.includes(id)) continue;
      const { body } = await client.request(method, example(path), method === 'GET' ? {} : { body: {} });
      const isMissing = body['errcode'] === 'M_MISSING_TOKEN';
      assert.equal(isMissing, needsToken(operation) || byPasswordAlone.has(id), id);
    }
  });
});
