import assert from 'node:assert/strict';
import { splitStateKey, stateKeyOf } from '../../protocol/event.ts';
import { isRoomVersionId, roomVersion, roomVersions } from '../../protocol/room-versions.ts';

describe('Room versions', () => {
  it('are 10, 11 and 12, and differ as the specification says', () => {
    assert.deepEqual([...roomVersions.keys()], ['10', '11', '12']);
    const features = [...roomVersions.values()].map((version) => [
      version.id,
      version.creatorInContent,
      version.updatedRedactionRules,
      version.roomIdIsHash,
      version.creatorsArePrivileged,
      version.stateResolution,
    ]);
    assert.deepEqual(features, [
      ['10', true, false, false, false, 'v2'],
      ['11', false, true, false, false, 'v2'],
      ['12', false, true, true, true, 'v2.1'],
    ]);
  });

  it('of other names are not known', () => {
    for (const id of ['9', '13', '', '10 ', '010', 'org.matrix.msc3757.10', 'toString']) {
      assert.equal(roomVersion(id), undefined);
      assert.equal(isRoomVersionId(id), false);
    }
    for (const id of ['10', '11', '12']) {
      assert.equal(roomVersion(id)?.id, id);
      assert.ok(isRoomVersionId(id));
    }
  });

  it('cannot be changed', () => {
    assert.throws(() => Object.assign(roomVersion('10') ?? {}, { roomIdIsHash: true }), TypeError);
  });
});

describe('The key of an entry of the state', () => {
  const pairs: readonly (readonly [string, string])[] = [
    ['m.room.member', '@ann:acme.test'],
    ['m.room.name', ''],
    ['', ''],
    ['', 'a'],
    ['a', ''],
    ['a:b', 'c'],
    ['a', ':bc'],
    ['1:a', 'b'],
    ['a\0', 'b'],
    ['a', '\0b'],
    ['\u{1f600}', '\u{1f600}:'],
  ];

  it('says its type and its state key', () => {
    for (const [type, stateKey] of pairs)
      assert.deepEqual(splitStateKey(stateKeyOf(type, stateKey)), { type, stateKey });
  });

  it('is another one for every other pair', () => {
    assert.equal(new Set(pairs.map(([type, stateKey]) => stateKeyOf(type, stateKey))).size, pairs.length);
  });
});
