import assert from 'node:assert/strict';
import { nextPosition, type WriteOp } from '../../storage/writer.ts';
import { onBothDatabases } from './support.ts';

onBothDatabases('Stores of notices', (database) => {
  const write = (ops: WriteOp[]) => database().writer.submit({ label: 't', ops });

  const makeRoom = async (roomId: string, members: readonly [string, string][]): Promise<number> => {
    const db = database();
    const roomNid = db.ids.next('room');
    await write(
      db.rooms.insert({
        roomNid,
        roomId,
        version: '12',
        revision: 0,
        stateGroup: null,
        extremities: [],
        joinedVia: [],
        createdTs: 5,
      }),
    );
    await write(
      db.memberships.put(
        members.map(([userId, membership]) => ({
          roomNid,
          userId,
          membership,
          eventId: '$e',
          sender: userId,
          streamPos: nextPosition(),
          isLocal: userId.endsWith(':acme.test'),
          displayName: null,
        })),
      ),
    );
    return roomNid;
  };

  it('know the rooms shared with a server, by its exact name, and who of ours is in them', async () => {
    const { memberships } = database();
    const both = await makeRoom('!both:a', [
      ['@li:acme.test', 'join'],
      ['@ann:acme.test', 'join'],
      ['@bo:bolt.test', 'join'],
      ['@da:bolt.test', 'join'],
    ]);
    const other = await makeRoom('!other:a', [
      ['@li:acme.test', 'join'],
      ['@bo:bolt.test', 'join'],
    ]);
    for (const [roomId, theirs, membership] of [
      ['!invited:a', '@bo:bolt.test', 'invite'],
      ['!case:a', '@bo:BOLT.test', 'join'],
      ['!longer:a', '@bo:thunderbolt.test', 'join'],
    ] as const)
      await makeRoom(roomId, [
        ['@li:acme.test', 'join'],
        [theirs, membership],
      ]);
    await makeRoom('!left:a', [
      ['@li:acme.test', 'leave'],
      ['@bo:bolt.test', 'join'],
    ]);
    const shared = await memberships.sharedWith('bolt.test');
    assert.deepEqual(shared, [
      { roomNid: both, roomId: '!both:a' },
      { roomNid: other, roomId: '!other:a' },
    ]);
    const members = await memberships.localMembersOf(shared.map(({ roomNid }) => roomNid));
    assert.deepEqual(Object.fromEntries(members), { '@ann:acme.test': 1, '@li:acme.test': 2 });
  });

  it('keep one notice in a room for each cause, at its place', async () => {
    const { localNotices } = database();
    const roomNid = await makeRoom('!told:a', []);
    const notice = (eventId: string, cause: string) =>
      localNotices.add([
        { eventId, cause, roomNid, ts: 7, sender: '@n:a', content: '{"body":"x"}', position: nextPosition() },
      ]);
    await write(notice('$local.1', 'one'));
    await write(notice('$local.1', 'one'));
    await write(notice('$local.2', 'two'));
    const all = await localNotices.timeline(roomNid, { dir: 'f', limit: 10 });
    assert.deepEqual(
      all.map(({ eventId, roomId, content }) => [eventId, roomId, content]),
      [
        ['$local.1', '!told:a', '{"body":"x"}'],
        ['$local.2', '!told:a', '{"body":"x"}'],
      ],
    );
    const [first, second] = all.map(({ streamPos }) => streamPos);
    assert.deepEqual((await localNotices.latest()).get(roomNid), second);
    const backwards = await localNotices.timeline(roomNid, { dir: 'b', limit: 10, upTo: first });
    assert.deepEqual(backwards, all.slice(0, 1));
    assert.deepEqual(await localNotices.getMany(['$local.2', '$local.9']), all.slice(1));
    assert.deepEqual(await localNotices.roomsOf('two'), [{ roomNid, roomId: '!told:a' }]);
  });

  it('keep what is to be told to whom, once for each cause, until it is sent, the oldest first', async () => {
    const { serverNotices } = database();
    const notice = (userId: string, cause: string, createdTs: number) => ({
      userId,
      cause,
      createdTs,
      notice: '{}',
    });
    await write(serverNotices.put([notice('@b:a', 'c', 2), notice('@a:a', 'c', 2), notice('@b:a', 'd', 1)]));
    await write(serverNotices.put([notice('@b:a', 'c', 9)]));
    const waiting = await serverNotices.waiting(2);
    assert.deepEqual(waiting, [notice('@b:a', 'd', 1), notice('@a:a', 'c', 2)]);
    assert.deepEqual(await serverNotices.waiting(9, waiting[1]), [notice('@b:a', 'c', 2)]);
    await write(waiting.flatMap((sent) => serverNotices.sent(sent)));
    assert.deepEqual(await serverNotices.waiting(9), [notice('@b:a', 'c', 2)]);
  });

  it('remember how partners stand and since when they are offline', async () => {
    const { partnerWatch } = database();
    await write([
      ...partnerWatch.putStanding('bolt.test', 'active'),
      ...partnerWatch.putOutage({ serverName: 'bolt.test', since: 5, told: false }),
      ...partnerWatch.putOutage({ serverName: 'dock.test', since: 6, told: true }),
    ]);
    await write([
      ...partnerWatch.putStanding('bolt.test', 'suspended'),
      ...partnerWatch.putOutage({ serverName: 'bolt.test', since: 5, told: true }),
      ...partnerWatch.removeOutage('dock.test'),
    ]);
    assert.deepEqual([...(await partnerWatch.standings())], [['bolt.test', 'suspended']]);
    assert.deepEqual(
      [...(await partnerWatch.outages()).values()],
      [{ serverName: 'bolt.test', since: 5, told: true }],
    );
  });
});
