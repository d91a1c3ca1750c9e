import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, type Client, listAt, ok, textAt, v3 } from './client.ts';
import type { TestIsland, TestNetwork } from './test-network.ts';

/** What people do in rooms and what they see of them, all of it through their clients. */

export function invite(inviter: Client, roomId: string, invitee: Client | string): Promise<JsonObject> {
  const userId = typeof invitee === 'string' ? invitee : invitee.userId;
  return ok(inviter.post(v3`/rooms/${roomId}/invite`, { user_id: userId }));
}

/** Joins by a room id or an alias; `via` names servers to ask. Gives the room's id. */
export async function join(client: Client, room: string, via: readonly string[] = []): Promise<string> {
  const query = via.map((server) => `via=${encodeURIComponent(server)}`).join('&');
  const path = v3`/join/${room}`;
  return textAt(await ok(client.post(query === '' ? path : `${path}?${query}`)), 'room_id');
}

export function leave(client: Client, roomId: string): Promise<JsonObject> {
  return ok(client.post(v3`/rooms/${roomId}/leave`));
}

/** Kicks, bans or unbans. */
export function moderate(
  client: Client,
  action: 'kick' | 'ban' | 'unban',
  roomId: string,
  userId: string,
): Promise<JsonObject> {
  const path = {
    kick: v3`/rooms/${roomId}/kick`,
    ban: v3`/rooms/${roomId}/ban`,
    unban: v3`/rooms/${roomId}/unban`,
  };
  return ok(client.post(path[action], { user_id: userId }));
}

/** Sets state; gives the event's id. */
export async function setState(
  client: Client,
  roomId: string,
  type: string,
  content: JsonObject,
  stateKey = '',
): Promise<string> {
  const path = v3`/rooms/${roomId}/state/${type}/${stateKey}`;
  return textAt(await ok(client.put(path, content)), 'event_id');
}

/** The content of a state event; `{}` where there is none. */
export async function stateContent(
  client: Client,
  roomId: string,
  type: string,
  stateKey = '',
): Promise<JsonObject> {
  const answer = await client.get(v3`/rooms/${roomId}/state/${type}/${stateKey}`);
  return answer.status === 200 ? answer.body : {};
}

/** A user's membership as this client sees it; `leave` for who never was there. */
export async function membershipOf(client: Client, roomId: string, userId: string): Promise<string> {
  const { membership } = await stateContent(client, roomId, 'm.room.member', userId);
  return typeof membership === 'string' ? membership : 'leave';
}

/**
 * All that a client can read of a room now, oldest first. As clients do, it stops where the island says that there
 * is more and gives nothing: what is missing is with somebody who cannot be reached.
 */
export async function timelineOf(client: Client, roomId: string): Promise<JsonObject[]> {
  const events: JsonObject[] = [];
  let from: string | undefined;
  for (let page = 0; page < 50; page += 1) {
    const body = await ok(client.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 100, from }));
    const chunk = listAt(body, 'chunk');
    events.push(...chunk);
    const { end } = body;
    if (typeof end !== 'string' || (chunk.length === 0 && end === from)) return events.reverse();
    from = end;
  }
  return assert.fail('the room has no beginning');
}

/** Can this client go back to where the room begins for it, with nothing said to be left? */
export async function hasBeginning(client: Client, roomId: string): Promise<boolean> {
  let from: string | undefined;
  for (let page = 0; page < 50; page += 1) {
    const body = await ok(client.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 100, from }));
    const { end } = body;
    if (typeof end !== 'string') return true;
    if (end === from) return false;
    from = end;
  }
  return false;
}

/** The texts of the messages in a timeline. */
export async function textsOf(client: Client, roomId: string): Promise<string[]> {
  const events = await timelineOf(client, roomId);
  return events.flatMap((event) => {
    const body = at(event, 'content', 'body');
    return typeof body === 'string' ? [body] : [];
  });
}

/** The room's state as `type|state key|event id`, sorted: equal lists mean that two islands agree. */
export async function stateOf(client: Client, roomId: string): Promise<string[]> {
  const { status, json } = await client.get(v3`/rooms/${roomId}/state`);
  assert.equal(status, 200);
  return listAt(json)
    .map((event) => `${event['type']}|${event['state_key']}|${event['event_id']}`)
    .sort();
}

/** Waits until these clients, each of another island, see the same state of a room. */
export async function agree(
  network: TestNetwork,
  roomId: string,
  clients: readonly Client[],
): Promise<string[]> {
  await network.settled();
  const [first = [], ...others] = await Promise.all(clients.map((client) => stateOf(client, roomId)));
  for (const other of others) assert.deepEqual(other, first);
  return first;
}

/** Syncs until the answer, or one after it, holds what is looked for; gives that. */
export async function seen<T>(
  client: Client,
  look: (body: JsonObject) => T | undefined,
  complaint: string,
): Promise<T> {
  let since: string | undefined;
  const giveUp = Date.now() + 10_000;
  while (Date.now() < giveUp) {
    const body: JsonObject = await client.sync(since, since === undefined ? {} : { timeout: 1_000 });
    const found = look(body);
    if (found !== undefined) return found;
    since = textAt(body, 'next_batch');
  }
  return assert.fail(complaint);
}

/** The state that comes with an invitation, once it is there. */
export function invitation(client: Client, roomId: string): Promise<JsonObject[]> {
  return seen(
    client,
    (body) => {
      const events = listAt(body, 'rooms', 'invite', roomId, 'invite_state', 'events');
      return events.length > 0 ? events : undefined;
    },
    `${client.userId} was not invited`,
  );
}

/** Is there an invitation to this room at this moment? */
export async function isInvited(client: Client, roomId: string): Promise<boolean> {
  return at(await client.sync(), 'rooms', 'invite', roomId) !== undefined;
}

/** Asserts that each event stands after those that it refers to, as far as the client sees them; once each. */
export async function inGraphOrder(client: Client, island: TestIsland, roomId: string): Promise<void> {
  const ids = (await timelineOf(client, roomId)).map((event) => textAt(event, 'event_id'));
  assert.equal(new Set(ids).size, ids.length, 'an event stands twice in the timeline');
  const events = await island.homeserver.engine.events(ids);
  for (const [place, id] of ids.entries())
    for (const prev of events.get(id)?.pdu.prev_events ?? [])
      assert.ok(ids.indexOf(prev) < place, `${id} stands before ${prev}, to which it refers`);
}
