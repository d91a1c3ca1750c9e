import { type Client, listAt, ok, textAt, v3 } from '../client.ts';
import type { Seeded } from '../seeded.ts';
import { type Comparison, type ExplainedStage, signsOf, type Verdict, verdictOf } from './stage.ts';

/** What is seen once everything has arrived. */
type Later = () => Promise<Comparison>;

/** Explains something, then does it. */
type Deed = (stage: ExplainedStage, random: Seeded) => Promise<Later>;

let count = 0;

function transactionId(): string {
  count += 1;
  return `case${count}`;
}

const algorithm = { algorithm: 'm.megolm.v1.aes-sha2' };
const secret = {
  algorithm: algorithm.algorithm,
  ciphertext: 'x',
  session_id: 's',
  sender_key: 'k',
  device_id: 'D',
};

function serverOf(client: Client): string {
  return client.userId.split(':')[1] ?? '';
}

/** Somebody of one side, and somebody of the other. */
function sides({ ours, theirs }: ExplainedStage, random: Seeded, isOutbound: boolean): [Client, Client] {
  const [our, their] = [random.pick(ours), random.pick(theirs)];
  return isOutbound ? [our, their] : [their, our];
}

function later(deed: string, explained: Verdict, observed: Verdict): Later {
  return async () => ({ deed, explained, observed });
}

/** An event that was sent has crossed, has been withheld for reasons, or is not there. */
async function arrival(stage: ExplainedStage, to: Client, eventId: string): Promise<Verdict> {
  const { db } = stage.network.island(serverOf(to)).homeserver;
  const event = await db.events.get(eventId);
  if (event === undefined) return { isAllowed: false };
  if (!event.quarantined) return { isAllowed: true, codes: [] };
  const record = (await db.quarantine.list(100)).find((candidate) => candidate.eventId === eventId);
  const violations = Array.isArray(record?.violations) ? record.violations : [];
  return { isAllowed: false, codes: [...new Set(violations.map((entry) => textAt(entry, 'code')))].sort() };
}

function both(one: Verdict, other: Verdict): Verdict {
  const isAllowed = one.isAllowed && other.isAllowed;
  if (one.codes === undefined || other.codes === undefined) return { isAllowed };
  return { isAllowed, codes: [...new Set([...one.codes, ...other.codes])].sort() };
}

function message(isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const { roomId: room, isEncrypted } = random.pick(stage.rooms);
    const type = random.pick(['m.room.message', 'org.example.order', 'm.room.encrypted']);
    const encrypted = type === 'm.room.encrypted';
    const asked = { from, to, action: 'message', room, event_type: type, encrypted };
    const explained = await stage.explain(asked);
    const deed = `message ${type} by ${from.userId} in ${isEncrypted ? 'an encrypted room' : room}`;
    const content = encrypted ? secret : { msgtype: 'm.text', body: 'a case' };
    const answer = await from.put(v3`/rooms/${room}/send/${type}/${transactionId()}`, content);
    if (answer.status !== 200) return later(deed, explained, verdictOf(answer));
    const eventId = textAt(answer.body, 'event_id');
    return async () => ({ deed, explained, observed: await arrival(stage, to, eventId) });
  };
}

/** The message that carries a file, and the partner's fetching of it over the link. */
function file(isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const { roomId: room, isEncrypted } = random.pick(stage.rooms);
    const { size, mime, uri } = random.pick(stage.files);
    const explained = await stage.explain({ from, to, action: 'file', room, size, mime, encrypted: false });
    const url = uri.get(serverOf(from)) ?? '';
    const deed = `file ${mime} of ${size} by ${from.userId} in ${isEncrypted ? 'an encrypted room' : room}`;
    const answer = await from.put(v3`/rooms/${room}/send/m.room.message/${transactionId()}`, {
      msgtype: 'm.file',
      body: 'f',
      url,
      info: { size, mimetype: mime },
    });
    const fetched = isOutbound ? await fetchOverLink(stage, serverOf(to), url) : await openByClient(to, url);
    if (answer.status !== 200) return later(deed, explained, both(verdictOf(answer), fetched));
    const eventId = textAt(answer.body, 'event_id');
    return async () => ({ deed, explained, observed: both(await arrival(stage, to, eventId), fetched) });
  };
}

/** Islands keep what they fetched, and the partner asks anew each time: so it is asked below its client. */
async function fetchOverLink(stage: ExplainedStage, reader: string, uri: string): Promise<Verdict> {
  const [origin = '', mediaId = ''] = uri.slice('mxc://'.length).split('/');
  const { link } = stage.network.island(reader).homeserver.federation;
  const response = await link.request(origin, {
    method: 'GET',
    uri: `/_matrix/federation/v1/media/download/${mediaId}`,
    priority: 'media',
    deadlineMs: 10_000,
  });
  const bytes = await response.body(1024 * 1024);
  const body = response.status === 200 ? {} : JSON.parse(bytes.toString());
  return verdictOf({ status: response.status, body });
}

async function openByClient(reader: Client, uri: string): Promise<Verdict> {
  const [origin = '', mediaId = ''] = uri.slice('mxc://'.length).split('/');
  return verdictOf(await reader.get(`/_matrix/client/v1/media/download/${origin}/${mediaId}`));
}

function invitation(isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const isEncrypted = random.chance(0.3);
    const room = await from.createRoom({
      initial_state: isEncrypted ? [{ type: 'm.room.encryption', content: algorithm }] : [],
    });
    const known = isOutbound ? { room } : { encrypted: isEncrypted };
    const explained = await stage.explain({ from, to, action: 'invite', ...known });
    const answer = await from.post(v3`/rooms/${room}/invite`, { user_id: to.userId });
    const deed = `invite by ${from.userId} of ${to.userId}${isEncrypted ? ', encrypted' : ''}`;
    if (isOutbound) return later(deed, explained, verdictOf(answer));
    return async () => ({ deed, explained, observed: await invited(stage, to, room, answer.status) });
  };
}

/** One that waits for somebody's word is accepted, and the invited person knows nothing of it. */
async function invited(stage: ExplainedStage, to: Client, room: string, status: number): Promise<Verdict> {
  const { db } = stage.network.island(serverOf(to)).homeserver;
  return { isAllowed: status === 200 && (await db.memberships.invite(room, to.userId)) !== undefined };
}

function joining(isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const room = await to.createRoom({ preset: 'public_chat' });
    const known = isOutbound ? {} : { room };
    const explained = await stage.explain({ from, to, action: 'join', ...known });
    const answer = await from.post(`${v3`/join/${room}`}?via=${serverOf(to)}`);
    const observed = isOutbound ? verdictOf(answer) : { isAllowed: answer.status === 200 };
    return later(`join by ${from.userId} of a room of ${to.userId}`, explained, observed);
  };
}

function creation(isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const encrypted = random.chance(0.4);
    const explained = await stage.explain({ from, to, action: 'create-room', encrypted });
    const answer = await from.post(v3`/createRoom`, {
      preset: 'private_chat',
      invite: [to.userId],
      initial_state: encrypted ? [{ type: 'm.room.encryption', content: algorithm }] : [],
    });
    const deed = `create-room by ${from.userId} with ${to.userId}${encrypted ? ', encrypted' : ''}`;
    if (isOutbound) return later(deed, explained, verdictOf(answer));
    const room = String(answer.body['room_id']);
    return async () => ({ deed, explained, observed: await invited(stage, to, room, answer.status) });
  };
}

function profile(isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const explained = await stage.explain({ from, to, action: 'profile' });
    const answer = await from.get(v3`/profile/${to.userId}`);
    const observed = isOutbound ? verdictOf(answer) : { isAllowed: answer.status === 200 };
    return later(`profile of ${to.userId} for ${from.userId}`, explained, observed);
  };
}

/** Typing and receipts are looked for on the other side, which hears nothing of those that are withheld. */
function sign(action: 'typing' | 'receipt', isOutbound: boolean): Deed {
  return async (stage, random) => {
    const [from, to] = sides(stage, random, isOutbound);
    const { roomId: room } = random.pick(stage.rooms);
    const explained = await stage.explain({ from, to, action, room });
    let sought = `typing ${room} ${from.userId}`;
    if (action === 'typing') {
      const path = v3`/rooms/${room}/typing/${from.userId}`;
      await ok(from.put(path, { typing: true, timeout: 30_000 }));
    } else {
      const eventId = await lastCreate(from, room);
      sought = `receipt ${eventId} ${from.userId}`;
      await ok(from.post(v3`/rooms/${room}/receipt/m.read/${eventId}`));
    }
    return async () => {
      const giveUp = Date.now() + (explained.isAllowed ? 3_000 : 0);
      let isSeen: boolean;
      do isSeen = (await signsOf(to, [room])).has(sought);
      while (!isSeen && Date.now() < giveUp);
      if (action === 'typing')
        await ok(from.put(v3`/rooms/${room}/typing/${from.userId}`, { typing: false }));
      return { deed: `${action} by ${from.userId} in ${room}`, explained, observed: { isAllowed: isSeen } };
    };
  };
}

/** The newest event of a room that both sides have. */
async function lastCreate(client: Client, room: string): Promise<string> {
  const { chunk } = await ok(client.get(v3`/rooms/${room}/messages`, { dir: 'b', limit: 50 }));
  const shown = listAt({ chunk: chunk ?? [] }, 'chunk').find(({ type }) => type === 'm.room.topic');
  return textAt(shown, 'event_id');
}

export const deeds: readonly [Deed, ...Deed[]] = [
  message(true),
  message(false),
  file(true),
  file(false),
  invitation(true),
  invitation(false),
  joining(true),
  joining(false),
  creation(true),
  creation(false),
  profile(true),
  profile(false),
];

export const signs: readonly [Deed, ...Deed[]] = [
  sign('typing', true),
  sign('typing', false),
  sign('receipt', true),
  sign('receipt', false),
];
