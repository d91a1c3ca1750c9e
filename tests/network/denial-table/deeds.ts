import { decide } from '../../../policy/decide.ts';
import type { Question } from '../../../policy/question.ts';
import type { JsonObject } from '../../../protocol/json.ts';
import { type Answer, at, type Client, listAt, ok, textAt, v1, v3 } from '../../support/client.ts';
import { membershipOf } from '../../support/conversation.ts';
import type { Sides, Stage } from './stage.ts';

/**
 * What is done and what becomes of it, as a person with a client sees it:
 * `arrives`: the other side sees it; `withheld`: the other side sees that it is there, without content; `nothing`: it
 * was accepted here and the other side knows nothing of it; `403 CODES`: refused, by these violations; `403 by PARTNER`:
 * the partner refused.
 */
export type Outcome = string;

type Act = () => Promise<Outcome>;

/** Made ready while everything is allowed; the policy of the row is set before the act. */
export type Deed = (stage: Stage, sides: Sides) => Promise<Act>;

function transactionId(): string {
  return `t${Math.random().toString(36).slice(2)}`;
}

function refusal({ status, body }: Answer): Outcome {
  const codes = listAt(body, 'org.archipelago.violations').map((violation) => textAt(violation, 'code'));
  if (codes.length > 0) return `${status} ${codes.join(' ')}`;
  const [, server] = /^(\S+) refused/.exec(String(body['error'])) ?? [];
  return server === undefined ? `${status} ${body['errcode']}` : `${status} by ${server}`;
}

/** The room that the actor made, or the one that the peer made. */
function ownRoom(stage: Stage, { actor }: Sides): string {
  return actor === stage.li ? stage.desk : stage.yard;
}

function theirRoom(stage: Stage, { actor }: Sides): string {
  return actor === stage.li ? stage.yard : stage.desk;
}

/** Waits for what was sent, and looks at it from the other side. */
async function arrival(stage: Stage, { peer }: Sides, roomId: string, answer: Answer): Promise<Outcome> {
  if (answer.status !== 200) return refusal(answer);
  await stage.network.settled();
  const found = await peer.get(v3`/rooms/${roomId}/event/${textAt(answer.body, 'event_id')}`);
  if (found.status !== 200) return 'nothing';
  const isWithheld = at(found.body, 'unsigned', 'org.archipelago.quarantined') === true;
  if (isWithheld && Object.keys(found.body['content'] ?? {}).length > 0) return 'marked and shown';
  return isWithheld ? 'withheld' : 'arrives';
}

function sends(content: JsonObject, type = 'm.room.message', where = ownRoom): Deed {
  return async (stage, sides) => {
    const roomId = where(stage, sides);
    return async () =>
      arrival(
        stage,
        sides,
        roomId,
        await sides.actor.put(v3`/rooms/${roomId}/send/${type}/${transactionId()}`, content),
      );
  };
}

/** Sets state in a new room of the actor. */
function sets(type: string, content: (sides: Sides, before: JsonObject) => JsonObject): Deed {
  return async (stage, sides) => {
    const roomId = await stage.room(sides.actor);
    const path = v3`/rooms/${roomId}/state/${type}/`;
    const before = await sides.actor.get(path);
    return async () =>
      arrival(
        stage,
        sides,
        roomId,
        await sides.actor.put(path, content(sides, before.status === 200 ? before.body : {})),
      );
  };
}

async function upload(client: Client, size: number, mime: string): Promise<string> {
  const answer = client.request('POST', '/_matrix/media/v3/upload', {
    raw: Buffer.alloc(size, 'x'),
    headers: { 'content-type': mime },
  });
  return textAt(await ok(answer), 'content_uri');
}

function sendsFile(size: number, mime: string): Deed {
  return async (stage, sides) => {
    const url = await upload(sides.actor, size, mime);
    return sends({ msgtype: 'm.file', body: 'f', url, info: { size, mimetype: mime } })(stage, sides);
  };
}

/** The peer fetches a file that the actor has uploaded and sent before. */
const fileIsFetched: Deed = async (stage, sides) => {
  const url = await upload(sides.actor, 100, 'image/png');
  const roomId = ownRoom(stage, sides);
  await ok(
    sides.actor.put(v3`/rooms/${roomId}/send/m.room.message/${transactionId()}`, {
      msgtype: 'm.file',
      body: 'f',
      url,
      info: { size: 100, mimetype: 'image/png' },
    }),
  );
  await stage.network.settled();
  const [server = '', mediaId = ''] = url.slice('mxc://'.length).split('/');
  return async () => {
    const answer = await sides.peer.get(v1`/media/download/${server}/${mediaId}`);
    return answer.status === 200 ? 'arrives' : String(answer.status);
  };
};

async function invited(stage: Stage, sides: Sides, roomId: string, answer: Answer): Promise<Outcome> {
  if (answer.status !== 200) return refusal(answer);
  await stage.network.settled();
  const sync = await sides.peer.sync();
  return at(sync, 'rooms', 'invite', roomId) === undefined ? 'nothing' : 'arrives';
}

function invites(options: (stage: Stage) => JsonObject = () => ({})): Deed {
  return async (stage, sides) => {
    const roomId = await sides.actor.createRoom(options(stage));
    return async () => {
      const answer = await sides.actor.post(v3`/rooms/${roomId}/invite`, { user_id: sides.peer.userId });
      return invited(stage, sides, roomId, answer);
    };
  };
}

function creates(options: (sides: Sides) => JsonObject): Deed {
  return async (stage, sides) => async () => {
    const answer = await sides.actor.post(v3`/createRoom`, {
      invite: [sides.peer.userId],
      ...options(sides),
    });
    return invited(stage, sides, String(answer.body['room_id']), answer);
  };
}

function roomClass(name: 'internal' | 'shared', partners?: readonly string[]): JsonObject {
  const content = { class: name, ...(partners === undefined ? {} : { partners: [...partners] }) };
  return { initial_state: [{ type: 'org.archipelago.room_class', content }] };
}

/** The actor joins a public room of the peer. */
function joins(options: JsonObject = {}): Deed {
  return async (_stage, sides) => {
    const roomId = await sides.peer.createRoom({ preset: 'public_chat', ...options });
    const path = `${v3`/join/${roomId}`}?via=${sides.peerServer}`;
    return async () => {
      const answer = await sides.actor.post(path);
      if (answer.status !== 200) return refusal(answer);
      const membership = await membershipOf(sides.peer, roomId, sides.actor.userId);
      return membership === 'join' ? 'arrives' : 'nothing';
    };
  };
}

const types: Deed = async (stage, sides) => {
  const roomId = await stage.room(sides.actor);
  return async () => {
    await ok(
      sides.actor.put(v3`/rooms/${roomId}/typing/${sides.actor.userId}`, { typing: true, timeout: 20_000 }),
    );
    // What is said afterwards comes behind it on the same wire.
    await sides.actor.say(roomId, 'after typing');
    await stage.network.settled();
    const events = listAt(await sides.peer.sync(), 'rooms', 'join', roomId, 'ephemeral', 'events');
    return JSON.stringify(events).includes(sides.actor.userId) ? 'arrives' : 'nothing';
  };
};

const reads: Deed = async (stage, sides) => {
  const roomId = await stage.room(sides.actor);
  const eventId = await sides.actor.say(roomId, 'read me');
  return async () => {
    await ok(sides.actor.post(v3`/rooms/${roomId}/receipt/m.read/${eventId}`));
    await stage.network.settled();
    const events = listAt(await sides.peer.sync(), 'rooms', 'join', roomId, 'ephemeral', 'events');
    const receipts = events.filter(({ type }) => type === 'm.receipt');
    return JSON.stringify(receipts).includes(sides.actor.userId) ? 'arrives' : 'nothing';
  };
};

/** Says something while the border is closed: the link is down, and nothing crosses. */
const saysBehindClosedBorder: Deed = async (stage, sides) => {
  const roomId = ownRoom(stage, sides);
  return async () => {
    const answer = await sides.actor.put(v3`/rooms/${roomId}/send/m.room.message/${transactionId()}`, {
      msgtype: 'm.text',
      body: 'behind a closed border',
    });
    if (answer.status !== 200) return refusal(answer);
    await stage.network.processed();
    const found = await sides.peer.get(v3`/rooms/${roomId}/event/${textAt(answer.body, 'event_id')}`);
    return found.status === 200 ? 'arrives' : 'nothing';
  };
};

const invitesTwice: Deed = async (stage, sides) => {
  const [first, second] = [await invites()(stage, sides), await invites()(stage, sides)];
  return async () => {
    const outcome = await first();
    return outcome === 'arrives' ? second() : `at once: ${outcome}`;
  };
};

/** The actor lets somebody of the third island into a room with the peer. */
const letsCargoIn: Deed = async (stage, sides) => {
  const roomId = await stage.room(sides.actor);
  return async () => {
    const answer = await sides.actor.post(v3`/rooms/${roomId}/invite`, { user_id: stage.ca.userId });
    if (answer.status !== 200) return refusal(answer);
    await stage.network.settled();
    return at(await stage.ca.sync(), 'rooms', 'invite', roomId) === undefined ? 'nothing' : 'arrives';
  };
};

/** The actor looks up somebody of the other side with whom they share no room. */
const looksUp: Deed = async (stage, sides) => {
  const stranger = sides.actor === stage.li ? stage.bea : stage.ann;
  return async () => {
    const answer = await sides.actor.get(v3`/profile/${stranger.userId}`);
    return answer.status === 200 ? 'arrives' : refusal(answer);
  };
};

/** What is not served yet: the decision alone, as the island under test makes it. */
function isDecided(action: 'presence' | 'directory' | 'device-names'): Deed {
  return async (stage, sides) => async () => {
    const { partners } = stage.network.island('acme.test').homeserver;
    const question: Question = {
      action,
      direction: sides.actor === stage.li ? 'outbound' : 'inbound',
      remoteServer: 'bolt.test',
      local: { userId: stage.li.userId, departments: ['purchasing'] },
      remote: [stage.bo.userId],
    };
    const decision = decide(partners, question, Date.now());
    return decision.allowed ? 'allowed' : decision.violations.map(({ code }) => code).join(' ');
  };
}

const text = { msgtype: 'm.text', body: 'hello' };

export const deeds = {
  'says something': sends(text),
  'says something in a room that the other side made': sends(text, 'm.room.message', theirRoom),
  'says something behind a closed border': saysBehindClosedBorder,
  'sends an encrypted message': sends(
    { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', session_id: 's' },
    'm.room.encrypted',
  ),
  'sends a reaction': sends(
    { 'm.relates_to': { rel_type: 'm.annotation', event_id: '$x', key: '+' } },
    'm.reaction',
  ),
  'sends org.example.secret': sends({ body: 'secret' }, 'org.example.secret'),
  'sends an image of 100 bytes': sendsFile(100, 'image/png'),
  'sends an image of 2,000 bytes': sendsFile(2_000, 'image/png'),
  'sends a program of 100 bytes': sendsFile(100, 'application/x-msdownload'),
  'has a file that was sent before fetched': fileIsFetched,
  'sets a topic': sets('m.room.topic', () => ({ topic: 'prices' })),
  'sets org.example.secret as state': sets('org.example.secret', () => ({ value: 1 })),
  // Whoever makes a room of version 12 has no limit; the level is given to somebody else of the partner.
  'gives the partner level 50': sets('m.room.power_levels', (_sides, before) => ({
    ...before,
    users: { '@da:bolt.test': 50 },
  })),
  'gives the partner level 60': sets('m.room.power_levels', (_sides, before) => ({
    ...before,
    users: { '@da:bolt.test': 60 },
  })),
  'opens history to the world': sets('m.room.history_visibility', () => ({
    history_visibility: 'world_readable',
  })),
  'closes history': sets('m.room.history_visibility', () => ({ history_visibility: 'joined' })),
  'turns encryption on': sets('m.room.encryption', () => ({ algorithm: 'm.megolm.v1.aes-sha2' })),
  invites: invites(),
  'invites into an encrypted room': invites(() => ({
    initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
  })),
  'invites into an internal room': invites(() => roomClass('internal')),
  'invites into a room shared with bolt': invites(() => roomClass('shared', ['acme.test', 'bolt.test'])),
  'invites into a room shared with cargo': invites(() => roomClass('shared', ['cargo.test'])),
  'makes a room with them': creates(() => ({})),
  'makes an encrypted room with them': creates(() => ({
    initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
  })),
  'makes an internal room with them': creates(() => roomClass('internal')),
  'makes them a creator': creates(({ peer }) => ({
    creation_content: { additional_creators: [peer.userId] },
  })),
  'makes a room with them with history open to the world': creates(() => ({
    initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
  })),
  joins: joins(),
  'joins an internal room': joins(roomClass('internal')),
  'joins a room shared with cargo': joins(roomClass('shared', ['cargo.test'])),
  'invites twice': invitesTwice,
  'lets cargo in': letsCargoIn,
  'looks up somebody of the other side': looksUp,
  'shows presence (decided only)': isDecided('presence'),
  'searches the directory (decided only)': isDecided('directory'),
  'shows device names (decided only)': isDecided('device-names'),
  types,
  reads,
} satisfies Record<string, Deed>;

export type DeedName = keyof typeof deeds;
