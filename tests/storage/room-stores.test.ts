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
      quarantined: false,
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
    const [found] = await db.events.timeline(roomNid, { dir: 'f', limit: 1 });
    assert.equal(found, event);
  });

  it('show the redacted form to everybody once it is stored', async () => {
    const db = database();
    const roomNid = await makeRoom('!redact:a');
    const before = (await store(roomNid, [{ eventId: '$red', pdu: pduOf('m.room.message') }])).get('$red');
    assert.ok(before);
    const redacted = pduOf('m.room.message', { content: {} });
    await write(db, db.events.rewrite(before.nid, redacted, '$redaction'));
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
    assert.deepEqual(await page({ dir: 'b', limit: 9, after: 0 }), [...live].reverse());
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
      quarantined: false,
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

  it('know what is missing, and redactions that came first', async () => {
    const db = database();
    const roomNid = await makeRoom('!graph:a');
    const records = await store(roomNid, [
      { eventId: '$g1', pdu: pduOf('m.room.message') },
      { eventId: '$g2', pdu: pduOf('m.room.message', { prev_events: ['$g1', '$g0', '$g1'] }) },
      { eventId: '$g3', pdu: pduOf('m.room.redaction', { prev_events: ['$g1'] }) },
    ]);
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

  it('remember what changed in the current state, and when', async () => {
    const db = database();
    const roomNid = await makeRoom('!changes:a');
    const [topic, odd] = [stateKeyOf('m.room.topic', ''), stateKeyOf('a\u0000', 'b')];
    const start = db.streams.position;
    await write(db, db.states.changed(roomNid, [topic, odd], nextPosition()));
    await write(db, db.states.changed(roomNid, [topic], nextPosition()));
    assert.deepEqual((await db.states.changedKeys(roomNid, start, start + 2)).sort(), [odd, topic].sort());
    assert.deepEqual(await db.states.changedKeys(roomNid, start + 1, start + 2), [topic]);
    assert.deepEqual(await db.states.changedKeys(roomNid, start + 2, start + 9), []);
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
    const { streamPos } = (await db.memberships.get(two, '@ann:m')) ?? {};
    const renamed = { roomNid: two, userId: '@ann:m', eventId: '$renamed', sender: '@ann:m' };
    await write(
      db,
      db.memberships.describe({ ...renamed, membership: 'join', isLocal: true, displayName: 'Ann' }),
    );
    const described = await db.memberships.get(two, '@ann:m');
    assert.deepEqual([described?.eventId, described?.displayName], ['$renamed', 'Ann']);
    assert.equal(described?.streamPos, streamPos);
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
    const expected = { ...invite, ended: false, streamPos: db.streams.position };
    assert.deepEqual(await db.memberships.invite('!far:b', '@ann:i'), expected);
    assert.deepEqual(await db.memberships.invitesOf('@ann:i'), [expected]);
    const end = nextPosition();
    await write(db, db.memberships.endInvite('!far:b', '@ann:i', end));
    assert.deepEqual(await db.memberships.invitesOf('@ann:i'), [
      { ...expected, ended: true, streamPos: db.streams.position },
    ]);
    assert.equal(await db.memberships.invite('!far:b', '@ann:i'), undefined);
    assert.ok(db.streams.position > expected.streamPos);
    await write(db, db.memberships.putInvite({ ...invite, streamPos: nextPosition() }));
    assert.equal((await db.memberships.invite('!far:b', '@ann:i'))?.ended, false);
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

  it('know whether a server shares a room or an invitation with one of ours', async () => {
    const db = database();
    const roomNid = await makeRoom('!shared:a');
    const put = (userId: string, membership: string) =>
      write(
        db,
        db.memberships.put([
          {
            roomNid,
            userId,
            membership,
            eventId: '$m',
            sender: userId,
            isLocal: userId.endsWith(':sharing.test'),
            displayName: null,
            streamPos: nextPosition(),
          },
        ]),
      );
    const shares = (server: string) => db.memberships.sharesRoomWith('@ann:sharing.test', server);
    await put('@ann:sharing.test', 'join');
    await put('@bo:bolt.test', 'leave');
    assert.equal(await shares('bolt.test'), false);
    for (const membership of ['join', 'invite']) {
      await put('@bo:bolt.test', membership);
      assert.equal(await shares('bolt.test'), true);
      // Names that end alike are others.
      for (const other of ['olt.test', 'test', 'BOLT.test', 'xbolt.test', 'sharing.test'])
        assert.equal(await shares(other), false, other);
    }
    assert.equal(await db.memberships.sharesRoomWith('@nobody:sharing.test', 'bolt.test'), false);
    await put('@ann:sharing.test', 'leave');
    assert.equal(await shares('bolt.test'), false);
    const invite = { roomId: '!theirs:bolt.test', userId: '@ann:sharing.test', origin: 'bolt.test' };
    await write(
      db,
      db.memberships.putInvite({
        ...invite,
        eventJson: '{}',
        strippedStateJson: '[]',
        streamPos: nextPosition(),
      }),
    );
    assert.equal(await shares('bolt.test'), true);
    await write(db, db.memberships.endInvite(invite.roomId, invite.userId, nextPosition()));
    assert.equal(await shares('bolt.test'), false);
  });
});
