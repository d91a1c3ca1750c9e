import type { Verdict } from '../../../../protocol/auth/authorize.ts';
import type { JsonObject } from '../../../../protocol/json.ts';
import { type AuthRoom, alice, bob, type EventOptions } from '../../../support/auth-room.ts';
import { type AuthCase, allows, passes, rejects } from './case.ts';

const end = { '10': '1.5', '11': '1.4', '12': '1.5' };

function create(room: AuthRoom, content: JsonObject = {}, options: EventOptions = {}): Verdict {
  const event = room.event('m.room.create', alice, room.createContent(content), {
    stateKey: '',
    prev: [],
    ...options,
  });
  return room.judge(event, { authEvents: [] });
}

export const createCases: readonly AuthCase[] = [
  rejects({ '10': '1.1', '11': '1.1', '12': '1.1' }, 'a create event after another event', (room) =>
    create(room, {}, { prev: ['$earlier'] }),
  ),
  passes({ '10': '1.1', '11': '1.1', '12': '1.1' }, end, 'a create event after nothing', (room) =>
    create(room),
  ),
  rejects({ '10': '1.2', '11': '1.2' }, 'a room id of another server', (room) =>
    create(room, {}, { pdu: { room_id: '!room:two.test' } }),
  ),
  rejects({ '10': '1.2', '11': '1.2' }, 'a room id of the same host at another port', (room) =>
    create(room, {}, { pdu: { room_id: '!room:one.test:8448' } }),
  ),
  rejects({ '10': '1.2', '11': '1.2' }, 'a room id without a server', (room) =>
    create(room, {}, { pdu: { room_id: `!${'c'.repeat(43)}` } }),
  ),
  rejects({ '10': '1.2', '11': '1.2' }, 'no room id', (room) =>
    create(room, {}, { pdu: { room_id: undefined } }),
  ),
  passes({ '10': '1.2', '11': '1.2' }, end, "a room id of the sender's server and port", (room) =>
    create(room, {}, { pdu: { room_id: '!room:two.test:8448', sender: '@x:two.test:8448' } }),
  ),
  rejects({ '12': '1.2' }, 'a create event that has a room id, its own', (room) =>
    create(room, {}, { pdu: { room_id: room.roomId } }),
  ),
  passes({ '12': '1.2' }, end, 'a create event without a room id', (room) => create(room)),
  rejects({ '10': '1.3', '11': '1.3', '12': '1.3' }, 'a room version that nobody knows', (room) =>
    create(room, { room_version: 'org.example.next' }),
  ),
  rejects({ '10': '1.3', '11': '1.3', '12': '1.3' }, 'a room version after the last', (room) =>
    create(room, { room_version: '13' }),
  ),
  rejects({ '10': '1.3', '11': '1.3', '12': '1.3' }, 'a room version that is a number', (room) =>
    create(room, { room_version: Number(room.version.id) }),
  ),
  passes({ '10': '1.3', '11': '1.3', '12': '1.3' }, end, 'no room version', (room) =>
    create(
      room,
      {},
      { pdu: { content: room.version.creatorInContent ? { creator: alice } : { 'm.federate': true } } },
    ),
  ),
  passes({ '10': '1.3', '11': '1.3', '12': '1.3' }, end, 'an old room version', (room) =>
    create(room, { room_version: '9' }),
  ),
  rejects({ '10': '1.4' }, 'no creator', (room) =>
    create(room, {}, { pdu: { content: { room_version: '10' } } }),
  ),
  passes({ '10': '1.4' }, end, 'a creator who is not the sender', (room) => create(room, { creator: bob })),
  allows({ '11': '1.4' }, 'no creator: version 11 does not ask for one', (room) => create(room)),
  rejects({ '12': '1.4' }, 'additional creators that are not a list', (room) =>
    create(room, { additional_creators: bob }),
  ),
  rejects({ '12': '1.4' }, 'additional creators that are null', (room) =>
    create(room, { additional_creators: null }),
  ),
  rejects({ '12': '1.4' }, 'an additional creator that is no string', (room) =>
    create(room, { additional_creators: [bob, 7] }),
  ),
  rejects({ '12': '1.4' }, 'an additional creator without a server', (room) =>
    create(room, { additional_creators: [bob, '@somebody'] }),
  ),
  rejects({ '12': '1.4' }, 'an additional creator of more than 255 bytes', (room) =>
    create(room, { additional_creators: [`@${'x'.repeat(250)}:one.test`] }),
  ),
  passes({ '12': '1.4' }, end, 'additional creators with valid user ids, of a historical one too', (room) =>
    create(room, { additional_creators: [bob, '@Capital Letters:one.test'] }),
  ),
  passes({ '12': '1.4' }, end, 'an empty list of additional creators', (room) =>
    create(room, { additional_creators: [] }),
  ),
  allows({ '10': '1.5', '12': '1.5' }, 'a proper create event', (room) => create(room)),
];
