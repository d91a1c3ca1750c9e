import assert from 'node:assert/strict';
import type { WriteOp } from '../../storage/writer.ts';
import { failure, onBothDatabases } from './support.ts';

onBothDatabases('Stores of users', (database) => {
  const write = (ops: WriteOp[]) => database().writer.submit({ label: 't', ops });
  const ann = {
    localpart: 'ann',
    passwordHash: '$argon2id$x',
    deactivated: false,
    createdTs: 1,
    displayName: 'Ann',
    avatarUrl: null,
  };

  it('keep users, one for each name', async () => {
    const { users } = database();
    await write(users.insert(ann));
    await write(users.insert({ ...ann, localpart: 'bob' }));
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
    const { devices, roles } = database();
    const token = (tokenHash: string, deviceId: string) =>
      devices.addToken({ tokenHash, userId: '@ann:a', deviceId, createdTs: 3 });
    await write([...token('h1', 'D1'), ...token('h2', 'D1'), ...token('h3', 'D2')]);
    const expected = {
      tokenHash: 'h1',
      userId: '@ann:a',
      deviceId: 'D1',
      createdTs: 3,
      roles: ['admin', 'owner'],
      deactivated: false,
    };
    assert.deepEqual((await devices.token('h1'))?.roles, []);
    await write([...roles.add('ann', ['owner', 'admin']), ...roles.add('ann', ['admin'])]);
    const token1 = await devices.token('h1');
    assert.deepEqual({ ...token1, roles: [...(token1?.roles ?? [])].sort() }, expected);
    assert.deepEqual(await devices.token('h1'), token1);
    assert.deepEqual(await roles.all(), new Map([['ann', ['admin', 'owner']]]));
    await write(roles.remove('ann', 'owner'));
    assert.deepEqual((await devices.token('h1'))?.roles, ['admin']);
    await write(roles.remove('ann'));
    assert.deepEqual(await roles.of('ann'), []);
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
