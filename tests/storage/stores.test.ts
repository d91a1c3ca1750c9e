import assert from 'node:assert/strict';
import { type Pdu, type StateKey, splitStateKey, stateKeyOf } from '../../protocol/event.ts';
import type { Database } from '../../storage/database.ts';
import type { NewEvent } from '../../storage/stores/event-writes.ts';
import { backfilledPosition, nextPosition, type WriteOp } from '../../storage/writer.ts';
import { failure, onBothDatabases } from './support.ts';

function pduOf(type: string, extra: Partial<Pdu> = {}): Pdu {
  return {
    type,
    sender: '@ann:acme.test',
    content: { body: 'hello' },
    prev_events: [],
    auth_events: [],
    depth: 1,
    origin_server_ts: 1_700_000_000_000,
    hashes: { sha256: 'x' },
    signatures: {},
    ...extra,
  };
}

onBothDatabases('Stores of rooms', (database) => {
  const write = (db: Database, ops: WriteOp[]) => db.writer.submit({ label: 't', ops });

  const makeRoom = async (roomId: string): Promise<number> => {
    const db = database();
    const roomNid = db.ids.next('room');
    await write(
      db,
      db.rooms.insert({
        roomNid,
        roomId,
        version: '12',
        revision: 0,
        stateGroup: null,
        extremities: ['$a', '$b'],
        joinedVia: ['bolt.test'],
        createdTs: 5,
      }),
    );
    return roomNid;
  };

  /** Stores events of a room; gives their records by id, as a reader without memory would see them. */
  const store = async (roomNid: number, events: (Partial<NewEvent> & { eventId: string; pdu: Pdu })[]) => {
    const db = database();
    const full = events.map((event) => ({ nid: db.ids.next('event'), roomNid, receivedTs: 7, ...event }));
    await write(
      db,
      full.flatMap((event) => db.events.insert(event)),
    );
    return db.events.getMany(full.map((event) => event.eventId));
  };

  it('give a room by id and by number, and change what they are told to', async () => {
    const db = database();
    const roomNid = await makeRoom('!room:a');
    await write(db, db.rooms.update(roomNid, { stateGroup: 9, extremities: ['$c'] }));
    const expected = {
      roomNid,
      roomId: '!room:a',
      version: '12',
      revision: 0,
      stateGroup: 9,
      extremities: ['$c'],
      joinedVia: ['bolt.test'],
      createdTs: 5,
    };
    assert.deepEqual(await db.rooms.get('!room:a'), expected);
    assert.deepEqual(await db.rooms.byNid(roomNid), expected);
    assert.equal(await db.rooms.get('!other:a'), undefined);
    assert.ok((await db.rooms.allIds()).includes('!room:a'));
  });

  it('give an event exactly as it was stored, from disk and then from memory', async () => {
    const db = database();
    const roomNid = await makeRoom('!exact:a');
    const pdu = pduOf('m.\u0000odd', {
      state_key: 'k\u0000\u0001',
      content: { text: '\u0000 \u{1F980} "quoted"', n: Number.MAX_SAFE_INTEGER },
    });
    const position = nextPosition();
    const [event] = (
      await store(roomNid, [
        {
          eventId: '$exact',
          pdu,
          position,
          stateGroup: 3,
          stateGroupAfter: 4,
          internal: { device_id: 'D', txn_id: 't\u0000', more: [1] },
        },
      ])
    ).values();
    assert.deepEqual(event, {
      eventId: '$exact',
      roomId: '!exact:a',
      pdu,
      rejected: false,
      nid: event?.nid,
      roomNid,
      streamPos: db.streams.position,
      outlier: false,
      softFailed: false,
      rejectReason: null,
      redactedBy: null,
      stateGroup: 3,
      stateGroupAfter: 4,
      receivedTs: 7,
      internal: { device_id: 'D', txn_id: 't\u0000', more: [1] },
      txn: { deviceId: 'D', txnId: 't\u0000' },
    });
    assert.equal(await db.events.get('$exact'), event);
    assert.equal(db.events.peek('$exact'), event);
    const [found] = await db.events.timeline(roomNid, { dir: 'f', limit: 1, types: ['m.\u0000odd'] });
    assert.equal(found, event);
  });

  it('show the redacted form to everybody once it is stored', async () => {
    const db = database();
    const roomNid = await makeRoom('!redact:a');
    const before = (await store(roomNid, [{ eventId: '$red', pdu: pduOf('m.room.message') }])).get('$red');
    assert.ok(before);
    const redacted = pduOf('m.room.message', { content: {} });
    await write(db, db.events.redact(before.nid, redacted, '$redaction'));
    db.events.remember({ ...before, pdu: redacted, redactedBy: '$redaction' });
    assert.deepEqual((await db.events.get('$red'))?.pdu.content, {});
    db.events.forget('$red');
    const after = await db.events.get('$red');
    assert.deepEqual(after?.pdu, redacted);
    assert.equal(after?.redactedBy, '$redaction');
  });

  it('page a timeline in both directions, backfilled events first, hidden ones never', async () => {
    const db = database();
    const roomNid = await makeRoom('!page:a');
    const live = ['$l1', '$l2', '$l3', '$l4'];
    await store(roomNid, [
      ...live.map((eventId, n) => ({
        eventId,
        pdu: pduOf(n === 2 ? 'm.reaction' : 'm.room.message'),
        position: nextPosition(),
      })),
      { eventId: '$outlier', pdu: pduOf('m.room.create', { state_key: '' }), outlier: true },
      { eventId: '$soft', pdu: pduOf('m.room.message'), softFailed: true },
      { eventId: '$rejected', pdu: pduOf('m.room.message'), rejectReason: 'rule 5' },
      { eventId: '$b1', pdu: pduOf('m.room.message'), position: backfilledPosition() },
      { eventId: '$b2', pdu: pduOf('m.room.message'), position: backfilledPosition() },
    ]);
    const page = async (query: Parameters<Database['events']['timeline']>[1]) =>
      (await db.events.timeline(roomNid, query)).map((event) => event.eventId);
    assert.deepEqual(await page({ dir: 'f', limit: 100 }), ['$b2', '$b1', ...live]);
    assert.deepEqual(await page({ dir: 'b', limit: 3 }), ['$l4', '$l3', '$l2']);
    const at = (await db.events.get('$l2'))?.streamPos ?? 0;
    assert.deepEqual(await page({ dir: 'b', limit: 100, before: at }), ['$l1', '$b1', '$b2']);
    assert.deepEqual(await page({ dir: 'f', limit: 100, after: at, upTo: at + 1 }), ['$l3']);
    assert.deepEqual(await page({ dir: 'b', limit: 9, after: 0, types: ['m.room.message'] }), [
      '$l4',
      '$l2',
      '$l1',
    ]);
    assert.deepEqual(await page({ dir: 'b', limit: 9, types: [] }), []);
    assert.deepEqual(
      (await db.events.stream(at - 1, at + 1, 10)).map((event) => event.eventId),
      ['$l2', '$l3'],
    );
    assert.deepEqual(
      (await db.events.rejected(roomNid)).map((event) => [event.eventId, event.rejected, event.rejectReason]),
      [['$rejected', true, 'rule 5']],
    );
    assert.equal((await db.events.get('$soft'))?.softFailed, true);
    assert.equal((await db.events.get('$outlier'))?.outlier, true);
    const message = { types: ['m.room.message'], notSender: '@bob:acme.test' };
    assert.equal(await db.events.countSince(roomNid, at, message), 1);
    assert.equal(await db.events.countSince(roomNid, at, { ...message, notSender: '@ann:acme.test' }), 0);
    assert.deepEqual(
      await db.events.roomsWithEvents([roomNid, 999_999], at, at + 50),
      new Map([[roomNid, at + 2]]),
    );
    assert.deepEqual(await db.events.held(['$l1', '$outlier', '$unknown']), new Set(['$l1', '$outlier']));
  });

  it('give a rejected event its place when it turns out to be right', async () => {
    const db = database();
    const roomNid = await makeRoom('!unreject:a');
    const pdu = pduOf('m.room.message');
    const event = (await store(roomNid, [{ eventId: '$late', pdu, rejectReason: 'missing' }])).get('$late');
    assert.ok(event);
    const change = {
      outlier: false,
      rejectReason: null,
      softFailed: false,
      stateGroup: 1,
      stateGroupAfter: 1,
    };
    const position = nextPosition();
    await write(db, db.events.update(event.nid, { ...change, position, internal: null }));
    db.events.forget('$late');
    const now = await db.events.get('$late');
    assert.equal(now?.rejected, false);
    assert.equal(now?.streamPos, db.streams.position);
    await write(db, db.events.place(event.nid, nextPosition()));
    db.events.forget('$late');
    assert.equal((await db.events.get('$late'))?.streamPos, db.streams.position);
  });

  it('walk the whole auth chain, however it branches', async () => {
    const db = database();
    const roomNid = await makeRoom('!chain:a');
    const state = (eventId: string, auth: string[]) => ({
      eventId,
      pdu: pduOf('m.room.member', { state_key: eventId, auth_events: auth }),
    });
    const long = Array.from({ length: 60 }, (_, n) =>
      state(`$n${n}`, n === 0 ? ['$create'] : [`$n${n - 1}`, '$create']),
    );
    await store(roomNid, [
      state('$create', []),
      ...long,
      state('$apart', ['$create']),
      { eventId: '$message', pdu: pduOf('m.room.message', { auth_events: ['$n59', '$unheld'] }) },
    ]);
    const expected = ['$create', '$unheld', ...long.map((event) => event.eventId)].sort();
    assert.deepEqual([...(await db.events.graph.authChain(['$message']))].sort(), expected);
    assert.deepEqual([...(await db.events.graph.authChain(['$n1', '$apart']))].sort(), ['$create', '$n0']);
    assert.deepEqual([...(await db.events.graph.authChainEvents(['$n0', '$unheld'])).keys()], ['$create']);
  });

  it('know what refers to what, what is missing, and redactions that came first', async () => {
    const db = database();
    const roomNid = await makeRoom('!graph:a');
    const records = await store(roomNid, [
      { eventId: '$g1', pdu: pduOf('m.room.message') },
      { eventId: '$g2', pdu: pduOf('m.room.message', { prev_events: ['$g1', '$g0', '$g1'] }) },
      { eventId: '$g3', pdu: pduOf('m.room.redaction', { prev_events: ['$g1'] }) },
    ]);
    const children = await db.events.graph.children(['$g1', '$g0', '$g2']);
    assert.deepEqual(children.get('$g1')?.sort(), ['$g2', '$g3']);
    assert.deepEqual(children.get('$g0'), ['$g2']);
    assert.equal(children.get('$g2'), undefined);

    await write(db, db.events.graph.addMissing(roomNid, ['$g0', '$g-1', '$g0']));
    await write(db, db.events.graph.addMissing(roomNid, ['$g0']));
    assert.deepEqual((await db.events.graph.missing(roomNid)).sort(), ['$g-1', '$g0']);
    await write(db, db.events.graph.removeMissing(roomNid, ['$g0', '$g-1']));
    assert.deepEqual(await db.events.graph.missing(roomNid), []);

    const redaction = records.get('$g3')?.nid ?? 0;
    await write(db, [
      ...db.events.graph.insertRedaction(roomNid, redaction, '$early'),
      ...db.events.graph.insertRedaction(roomNid, redaction, '$g1'),
    ]);
    assert.deepEqual(await db.events.graph.heldRedactions(roomNid), [{ target: '$early', redaction: '$g3' }]);
    assert.deepEqual(
      await db.events.graph.redactionsOf(['$early', '$g1', '$g2']),
      new Map([
        ['$early', ['$g3']],
        ['$g1', ['$g3']],
      ]),
    );
  });

  it('load a state through a chain of changes', async () => {
    const db = database();
    const roomNid = await makeRoom('!state:a');
    const key = (stateKey: string): StateKey => stateKeyOf('m.room.member', stateKey);
    const odd = stateKeyOf('a\u0000', '\u0000b');
    const groups = Array.from({ length: 101 }, () => db.ids.next('state_group'));
    const [base = 0] = groups;
    const whole = new Map<StateKey, string>([[odd, '$odd']]);
    for (let n = 0; n < 600; n += 1) whole.set(key(`@u${n}:a`), `$u${n}`);
    const ops = db.states.insert({ groupNid: base, roomNid, prevGroup: null, chainLength: 0 }, whole);
    for (let n = 1; n <= 100; n += 1) {
      const record = { groupNid: groups[n] ?? 0, roomNid, prevGroup: groups[n - 1] ?? 0, chainLength: n };
      ops.push(...db.states.insert(record, new Map([[key(`@u${n % 3}:a`), `$change${n}`]])));
    }
    await write(db, ops);
    assert.deepEqual(await db.states.load(base), whole);
    const top = groups[100] ?? 0;
    const expected = new Map(whole);
    for (const n of [100, 99, 98]) expected.set(key(`@u${n % 3}:a`), `$change${n}`);
    assert.deepEqual(await db.states.load(top), expected);
    assert.equal(await db.states.entry(top, 'm.room.member', '@u1:a'), '$change100');
    const { type, stateKey } = splitStateKey(odd);
    assert.equal(await db.states.entry(top, type, stateKey), '$odd');
    assert.equal(await db.states.entry(top, 'm.room.topic', ''), undefined);
    assert.equal((await db.states.group(top))?.chainLength, 100);
    assert.equal((await db.states.load(1_000_000_007)).size, 0);
  });

  it('know who is where, since when, and who shares a room', async () => {
    const db = database();
    const [one, two] = [await makeRoom('!m1:a'), await makeRoom('!m2:a')];
    const member = (roomNid: number, userId: string, membership: string, isLocal = true) =>
      db.memberships.put([
        {
          roomNid,
          userId,
          membership,
          eventId: `$${userId}`,
          sender: userId,
          isLocal,
          displayName: null,
          streamPos: nextPosition(),
        },
      ]);
    const start = db.streams.position;
    await write(db, [
      ...member(one, '@ann:m', 'join'),
      ...member(one, '@bob:m', 'invite'),
      ...member(one, '@far:n', 'join', false),
      ...member(two, '@ann:m', 'leave'),
    ]);
    const middle = db.streams.position;
    await write(db, member(one, '@bob:m', 'join'));
    const names = (records: { userId: string }[]) => records.map((record) => record.userId);
    assert.deepEqual(names(await db.memberships.inRoom(one)), ['@ann:m', '@far:n', '@bob:m']);
    assert.deepEqual(names(await db.memberships.inRoom(one, ['invite'])), []);
    assert.deepEqual(names(await db.memberships.localInRoom(one, ['join'])), ['@ann:m', '@bob:m']);
    assert.deepEqual(names(await db.memberships.changesInRoom(one, middle, middle + 9)), ['@bob:m']);
    const annsRooms = await db.memberships.ofUser('@ann:m');
    assert.deepEqual(
      annsRooms.map((record) => [record.roomId, record.membership, record.isLocal, record.forgotten]),
      [
        ['!m1:a', 'join', true, false],
        ['!m2:a', 'leave', true, false],
      ],
    );
    assert.equal((await db.memberships.changesOfUser('@ann:m', start + 1, middle)).length, 1);
    assert.deepEqual((await db.memberships.sharingARoom('@ann:m')).sort(), ['@bob:m', '@far:n']);
    await write(db, db.memberships.forget(two, '@ann:m'));
    assert.equal((await db.memberships.get(two, '@ann:m'))?.forgotten, true);
    await write(db, member(two, '@ann:m', 'invite'));
    assert.equal((await db.memberships.get(two, '@ann:m'))?.forgotten, false);
    await write(db, db.memberships.remove(two, '@ann:m'));
    assert.equal(await db.memberships.get(two, '@ann:m'), undefined);
  });

  it('keep invites to rooms elsewhere until they are dealt with', async () => {
    const db = database();
    const invite = {
      roomId: '!far:b',
      userId: '@ann:i',
      eventJson: '{}',
      strippedStateJson: '[]',
      origin: 'b',
    };
    await write(db, db.memberships.putInvite({ ...invite, streamPos: nextPosition() }));
    const expected = { ...invite, streamPos: db.streams.position };
    assert.deepEqual(await db.memberships.invite('!far:b', '@ann:i'), expected);
    assert.deepEqual(await db.memberships.invitesOf('@ann:i'), [expected]);
    await write(db, db.memberships.removeInvite('!far:b', '@ann:i'));
    assert.deepEqual(await db.memberships.invitesOf('@ann:i'), []);
  });

  it('give an alias away once', async () => {
    const db = database();
    const alias = { alias: '#lobby:a', roomId: '!room:a', servers: ['a'], creator: '@ann:a' };
    await write(db, db.aliases.insert(alias));
    const error = await failure(write(db, db.aliases.insert({ ...alias, roomId: '!other:a' })));
    assert.equal(error.name, 'DuplicateRow');
    assert.deepEqual(await db.aliases.get('#lobby:a'), alias);
    assert.deepEqual(await db.aliases.ofRoom('!room:a'), [alias]);
    await write(db, db.aliases.remove('#lobby:a'));
    assert.equal(await db.aliases.get('#lobby:a'), undefined);
  });
});

onBothDatabases('Stores of users', (database) => {
  const write = (ops: WriteOp[]) => database().writer.submit({ label: 't', ops });
  const ann = {
    localpart: 'ann',
    passwordHash: '$argon2id$x',
    isAdmin: true,
    deactivated: false,
    createdTs: 1,
    displayName: 'Ann',
    avatarUrl: null,
  };

  it('keep users, one for each name', async () => {
    const { users } = database();
    await write(users.insert(ann));
    await write(users.insert({ ...ann, localpart: 'bob', isAdmin: false }));
    assert.equal((await failure(write(users.insert(ann)))).name, 'DuplicateRow');
    assert.deepEqual(await users.get('ann'), ann);
    await write(users.update('bob', { deactivated: true, passwordHash: null, displayName: 'B\u0000b' }));
    assert.deepEqual(
      (await users.list()).map((user) => [user.localpart, user.deactivated, user.displayName]),
      [
        ['ann', false, 'Ann'],
        ['bob', true, 'B\u0000b'],
      ],
    );
    assert.deepEqual(
      (await users.list('ann', 5)).map((user) => user.localpart),
      ['bob'],
    );
    assert.equal(await users.count(), 2);
    assert.equal((await users.getMany(['ann', 'nobody'])).size, 1);
  });

  it('know whose a token is, until it is taken away, at once', async () => {
    const { devices, users } = database();
    const token = (tokenHash: string, deviceId: string) =>
      devices.addToken({ tokenHash, userId: '@ann:a', deviceId, createdTs: 3 });
    await write([...token('h1', 'D1'), ...token('h2', 'D1'), ...token('h3', 'D2')]);
    const expected = {
      tokenHash: 'h1',
      userId: '@ann:a',
      deviceId: 'D1',
      createdTs: 3,
      isAdmin: true,
      deactivated: false,
    };
    assert.deepEqual(await devices.token('h1'), expected);
    assert.deepEqual(await devices.token('h1'), expected);
    await write(users.update('ann', { isAdmin: false }));
    assert.equal((await devices.token('h1'))?.isAdmin, false);
    await write(devices.removeToken('h1'));
    assert.equal(await devices.token('h1'), undefined);
    assert.ok(await devices.token('h2'));
    await write(devices.removeTokensOf('@ann:a', 'D1'));
    assert.equal(await devices.token('h2'), undefined);
    assert.ok(await devices.token('h3'));
    await write(devices.removeTokensOf('@ann:a'));
    assert.equal(await devices.token('h3'), undefined);
  });

  it('keep devices, and what they have sent, and forget all of it together', async () => {
    const { devices } = database();
    const device = (deviceId: string) => ({
      userId: '@dev:a',
      deviceId,
      displayName: 'Phone\u0000',
      lastSeenTs: 1,
      lastSeenIp: null,
      createdTs: 1,
    });
    const txn = { userId: '@dev:a', deviceId: 'A', txnKey: 'send/1\u0000', eventId: '$sent', createdTs: 1 };
    await write([...devices.put(device('A')), ...devices.put(device('B')), ...devices.addTxn(txn)]);
    await write([...devices.seen('@dev:a', 'A', 9, '::1'), ...devices.rename('@dev:a', 'B', 'Tablet')]);
    assert.deepEqual(await devices.ofUser('@dev:a'), [
      { ...device('A'), lastSeenTs: 9, lastSeenIp: '::1' },
      { ...device('B'), displayName: 'Tablet' },
    ]);
    assert.equal(await devices.txnEvent('@dev:a', 'A', 'send/1\u0000'), '$sent');
    assert.equal((await failure(write(devices.addTxn({ ...txn, eventId: '$twice' })))).name, 'DuplicateRow');
    await write(devices.remove('@dev:a', 'A'));
    assert.equal(await devices.get('@dev:a', 'A'), undefined);
    assert.ok(await devices.get('@dev:a', 'B'));
    assert.equal(await devices.txnEvent('@dev:a', 'A', 'send/1\u0000'), undefined);
    await write(devices.remove('@dev:a'));
    assert.deepEqual(await devices.ofUser('@dev:a'), []);
  });

  it('keep account data and receipts with the time of their last change', async () => {
    const { accountData, receipts, streams } = database();
    const data = { userId: '@ann:a', roomId: '', type: 'm.direct', content: '{}' };
    const start = streams.position;
    await write([
      ...accountData.put(data),
      ...accountData.put({ ...data, roomId: '!r' }),
      ...accountData.put({ ...data, content: '{"v":2}' }),
    ]);
    assert.equal((await accountData.get('@ann:a', '', 'm.direct'))?.content, '{"v":2}');
    assert.deepEqual(
      (await accountData.changes('@ann:a', -1, streams.position)).map((entry) => entry.roomId),
      ['!r', ''],
    );
    assert.equal((await accountData.changes('@ann:a', start + 2, streams.position)).length, 1);

    const receipt = {
      roomNid: 4,
      userId: '@ann:a',
      receiptType: 'm.read',
      threadId: '',
      eventId: '$1',
      ts: 1,
      eventPos: 10,
    };
    await write([...receipts.put(receipt), ...receipts.put({ ...receipt, threadId: '$t' })]);
    const middle = streams.position;
    await write(receipts.put({ ...receipt, eventId: '$2', eventPos: 11 }));
    const changed = await receipts.changes([4, 5], middle, middle + 5);
    assert.deepEqual(changed, [{ ...receipt, eventId: '$2', eventPos: 11, streamPos: streams.position }]);
    assert.equal((await receipts.ofUser(4, '@ann:a')).length, 2);
    assert.equal((await receipts.ofUserIn([3, 4], '@ann:a')).length, 2);
  });

  it('keep filters, and what is known of files', async () => {
    const { filters, media } = database();
    await write(filters.put('@ann:a', 'f1', '{"room":{}}'));
    assert.equal(await filters.get('@ann:a', 'f1'), '{"room":{}}');
    assert.equal(await filters.get('@bob:a', 'f1'), undefined);
    const file = {
      mediaId: 'm1',
      origin: 'a',
      uploader: '@ann:a',
      contentType: 'image/png',
      uploadName: 'a\u0000.png',
      size: 5_000_000_000,
      sha256: 'x',
      createdTs: 1,
    };
    await write([...media.insert(file), ...media.insert({ ...file, size: 1 })]);
    assert.deepEqual(await media.get('a', 'm1'), file);
    assert.equal(await media.get('b', 'm1'), undefined);
  });
});

onBothDatabases('Stores of federation', (database) => {
  const write = (ops: WriteOp[]) => database().writer.submit({ label: 't', ops });
  const at = { destination: 'bolt.test', lane: 'pdu' };

  it('keep the rows of a lane in order until they are removed', async () => {
    const { outbox } = database();
    await write(
      outbox.enqueue([
        { ...at, position: nextPosition(), eventId: '$1' },
        { ...at, position: nextPosition(), eventId: '$2' },
        { ...at, lane: 'ephemeral', position: nextPosition(), edu: '{}', dedupKey: 'r' },
        { ...at, position: nextPosition(), eventId: '$3' },
      ]),
    );
    const rows = await outbox.pending('bolt.test', 'pdu', 0, 10);
    assert.deepEqual(
      rows.map((row) => row.eventId),
      ['$1', '$2', '$3'],
    );
    const [first = 0, second = 0, third = 0] = rows.map((row) => row.position);
    assert.deepEqual(await outbox.pending('bolt.test', 'pdu', first, 1), [rows[1]]);
    assert.deepEqual(await outbox.at('bolt.test', 'pdu', [third, first, 999]), [rows[0], rows[2]]);
    assert.deepEqual(await outbox.counts(), [
      { destination: 'bolt.test', lane: 'ephemeral', count: 1 },
      { destination: 'bolt.test', lane: 'pdu', count: 3 },
    ]);
    await write(outbox.removeAt('bolt.test', 'pdu', [first, second]));
    assert.deepEqual(await outbox.pending('bolt.test', 'pdu', 0, 10), [rows[2]]);
  });

  it('keep lanes, transactions and retired epochs', async () => {
    const { outbox } = database();
    const lane = { ...at, epoch: 'e1', nextSeq: 5, ackedSeq: 2, boundPos: 77 };
    await write(outbox.putLane(lane));
    await write(outbox.putLane({ ...lane, epoch: 'e2' }));
    assert.deepEqual(await outbox.lane('bolt.test', 'pdu'), { ...lane, epoch: 'e2' });
    assert.deepEqual(await outbox.lanes(), [{ ...lane, epoch: 'e2' }]);
    const transaction = (firstSeq: number) => ({
      ...at,
      firstSeq,
      lastSeq: firstSeq + 1,
      txnId: `t${firstSeq}`,
      epoch: 'e2',
      items: '[1]',
    });
    await write([3, 1, 5].flatMap((seq) => outbox.addTransaction(transaction(seq))));
    assert.deepEqual(await outbox.transactions('bolt.test', 'pdu'), [1, 3, 5].map(transaction));
    await write(outbox.removeTransaction('bolt.test', 'pdu', 1));
    assert.equal((await outbox.transactions('bolt.test', 'pdu')).length, 2);
    await write(outbox.removeTransactions('bolt.test', 'pdu'));
    assert.deepEqual(await outbox.transactions('bolt.test', 'pdu'), []);
    await write([
      ...outbox.retireEpoch('bolt.test', 'pdu', 'e1'),
      ...outbox.retireEpoch('bolt.test', 'pdu', 'e1'),
    ]);
    assert.deepEqual(await outbox.retiredEpochs('bolt.test', 'pdu'), new Set(['e1']));
  });

  it('stage what was received, with its transaction, until it is processed or given up', async () => {
    const { inbox, ids } = database();
    const entry = (kind: 'pdu' | 'edu', eventId: string | null) => ({
      nid: ids.next('staged'),
      origin: 'bolt.test',
      kind,
      roomId: '!r',
      eventId,
      json: '{}',
      receivedTs: 1,
      attempts: 0,
      nextTryTs: null,
      deadReason: null,
    });
    const [a, b, c] = [entry('pdu', '$1'), entry('edu', null), entry('pdu', '$3')];
    const transaction = { origin: 'bolt.test', txnId: 't1', digest: 'd', response: '{}', receivedTs: 50 };
    const lane = { origin: 'bolt.test', lane: 'pdu', epoch: 'e', lastSeq: 3 };
    await write([...inbox.stage([a, b, c]), ...inbox.addTransaction(transaction), ...inbox.putLane(lane)]);
    assert.deepEqual(await inbox.staged(0, 10), [a, b, c]);
    assert.deepEqual(await inbox.staged(a.nid, 1), [b]);
    assert.deepEqual(await inbox.transaction('bolt.test', 't1'), transaction);
    assert.deepEqual(await inbox.lane('bolt.test', 'pdu'), lane);
    assert.deepEqual(await inbox.lanesOf('bolt.test'), [lane]);
    assert.equal((await failure(write(inbox.addTransaction(transaction)))).name, 'DuplicateRow');
    await write([...inbox.remove(a.nid), ...inbox.retryLater(b.nid, 2, 99), ...inbox.bury(c.nid, 'why')]);
    assert.deepEqual(await inbox.staged(0, 10), [{ ...b, attempts: 2, nextTryTs: 99 }]);
    assert.deepEqual(await inbox.dead(10), [{ ...c, deadReason: 'why' }]);
    assert.deepEqual(await inbox.counts(), [{ origin: 'bolt.test', waiting: 1, dead: 1 }]);
    await write(inbox.revive(c.nid));
    assert.deepEqual(await inbox.dead(10), []);
    assert.deepEqual(await inbox.transactionsBefore(51, 5), [{ origin: 'bolt.test', txnId: 't1' }]);
    assert.deepEqual(await inbox.transactionsBefore(50, 5), []);
    await write(inbox.removeTransaction('bolt.test', 't1'));
    assert.equal(await inbox.transaction('bolt.test', 't1'), undefined);
  });

  it('remember things about partners', async () => {
    const { partnerStates } = database();
    await write([...partnerStates.put('a.test', '1'), ...partnerStates.put('b.test', '2')]);
    await write(partnerStates.put('a.test', '3'));
    assert.equal(await partnerStates.get('a.test'), '3');
    assert.equal((await partnerStates.all()).size, 2);
  });
});
