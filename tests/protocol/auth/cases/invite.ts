import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Verdict } from '../../../../protocol/auth/authorize.ts';
import { decodeBase64, encodeBase64, encodeBase64Url } from '../../../../protocol/base64.ts';
import type { JsonObject } from '../../../../protocol/json.ts';
import { signingKeyFromSeed, signJson } from '../../../../protocol/signing.ts';
import { AuthRoom, alice, bob, carol, mod } from '../../../support/auth-room.ts';
import { type AuthCase, allows, misses, passes, rejects, rule } from './case.ts';

const seed = (text: string): Buffer => createHash('sha256').update(text).digest();
/** A key whose Base64 differs in the two alphabets. */
const key = signingKeyFromSeed('ed25519:1', seed('identity server 2'));
const otherKey = signingKeyFromSeed('ed25519:2', seed('another one'));
const identity = 'identity.test';
const token = 'a token';

const urlSafe = (text: string): string => encodeBase64Url(decodeBase64(text) ?? Buffer.alloc(0));

/** What the identity server signs when somebody binds the address that was invited. */
const signed = (content: JsonObject = {}): JsonObject =>
  signJson({ mxid: carol, token, ...content }, identity, key);

/** Carol's invite by the third party invite that the moderator issued. */
function thirdParty(
  room: AuthRoom,
  {
    issued = { public_key: key.publicKey } as JsonObject,
    invite = { signed: signed() } as unknown,
    by = mod,
  },
): Verdict {
  if (issued['nothing'] === undefined)
    room.put(room.event('m.room.third_party_invite', mod, issued, { stateKey: token }));
  // Whatever the case has put there: the rules must take any JSON.
  const content = { third_party_invite: invite as JsonObject };
  return room.judge(room.memberEvent(carol, 'invite', content, by));
}

const byKey = rule('4.4.1.7', '5.4.1.7');
const noKey = rule('4.4.1.8', '5.4.1.8');

const thirdPartyCases: readonly AuthCase[] = [
  rejects(rule('4.4.1.1', '5.4.1.1'), 'somebody banned', (room) => {
    room.member(carol, 'ban', alice);
    return thirdParty(room, {});
  }),
  passes(rule('4.4.1.1', '5.4.1.1'), byKey, 'somebody who left', (room) => {
    room.member(carol, 'leave', alice);
    return thirdParty(room, {});
  }),
  rejects(rule('4.4.1.2', '5.4.1.2'), 'nothing signed', (room) => thirdParty(room, { invite: {} })),
  rejects(rule('4.4.1.2', '5.4.1.2'), 'a third_party_invite that is null', (room) =>
    thirdParty(room, { invite: null }),
  ),
  rejects(rule('4.4.1.2', '5.4.1.2'), 'a signed that is no object', (room) =>
    thirdParty(room, { invite: { signed: 'yes' } }),
  ),
  passes(rule('4.4.1.2', '5.4.1.2'), byKey, 'something signed', (room) => thirdParty(room, {})),
  rejects(rule('4.4.1.3', '5.4.1.3'), 'no mxid', (room) =>
    thirdParty(room, { invite: { signed: signJson({ token }, identity, key) } }),
  ),
  rejects(rule('4.4.1.3', '5.4.1.3'), 'no token', (room) =>
    thirdParty(room, { invite: { signed: signJson({ mxid: carol }, identity, key) } }),
  ),
  rejects(rule('4.4.1.3', '5.4.1.3'), 'a token that is no string', (room) =>
    thirdParty(room, { invite: { signed: signed({ token: 5 }) } }),
  ),
  passes(rule('4.4.1.3', '5.4.1.3'), byKey, 'an mxid and a token, and more', (room) =>
    thirdParty(room, { invite: { signed: signed({ more: 1 }) } }),
  ),
  rejects(rule('4.4.1.4', '5.4.1.4'), 'signed for somebody else', (room) =>
    thirdParty(room, { invite: { signed: signed({ mxid: '@mallory:three.test' }) } }),
  ),
  passes(rule('4.4.1.4', '5.4.1.4'), byKey, 'signed for the one invited', (room) => thirdParty(room, {})),
  rejects(rule('4.4.1.5', '5.4.1.5'), 'no such token in the room', (room) =>
    thirdParty(room, { issued: { nothing: true } }),
  ),
  rejects(rule('4.4.1.5', '5.4.1.5'), 'another token in the room', (room) =>
    thirdParty(room, { invite: { signed: signed({ token: 'another' }) } }),
  ),
  passes(rule('4.4.1.5', '5.4.1.5'), byKey, 'the token that the room has', (room) => thirdParty(room, {})),
  rejects(rule('4.4.1.6', '5.4.1.6'), 'sent by another than the third party invite', (room) =>
    thirdParty(room, { by: alice }),
  ),
  passes(rule('4.4.1.6', '5.4.1.6'), byKey, 'sent by the same user, who has left since', (room) => {
    room.member(mod, 'leave');
    return thirdParty(room, {});
  }),

  allows(byKey, 'the signature of another server name beside those that fail', (room) =>
    thirdParty(room, {
      invite: {
        signed: {
          ...signJson(signJson({ mxid: carol, token }, 'a.test', otherKey), identity, key),
        },
      },
    }),
  ),
  misses(byKey, noKey, 'signed with another key', (room) =>
    thirdParty(room, { issued: { public_key: otherKey.publicKey } }),
  ),
  passes(rule('4.4.1.7.1', '5.4.1.7.1'), byKey, 'the key in public_key', (room) => thirdParty(room, {})),
  passes(rule('4.4.1.7.1', '5.4.1.7.1'), byKey, 'the key in public_key, in the URL-safe alphabet', (room) => {
    assert.notEqual(urlSafe(key.publicKey), key.publicKey);
    return thirdParty(room, { issued: { public_key: urlSafe(key.publicKey) } });
  }),
  misses(rule('4.4.1.7.1', '5.4.1.7.1'), noKey, 'a public_key that is no key', (room) =>
    thirdParty(room, { issued: { public_key: 'AAAA' } }),
  ),
  misses(rule('4.4.1.7.1', '5.4.1.7.1'), noKey, 'a public_key that is no Base64', (room) =>
    thirdParty(room, { issued: { public_key: `${key.publicKey.slice(0, -1)}!` } }),
  ),
  passes(rule('4.4.1.7.2', '5.4.1.7.2'), byKey, 'the key in public_keys', (room) => {
    const keys = [otherKey, key].map((one) => ({ public_key: one.publicKey }));
    return thirdParty(room, { issued: { public_key: otherKey.publicKey, public_keys: [7, ...keys] } });
  }),
  misses(rule('4.4.1.7.2', '5.4.1.7.2'), noKey, 'public_keys without the key', (room) =>
    thirdParty(room, { issued: { public_keys: [{ public_key: otherKey.publicKey }, {}] } }),
  ),
  misses(rule('4.4.1.7.2', '5.4.1.7.2'), noKey, 'public_keys that are no list', (room) =>
    thirdParty(room, { issued: { public_keys: { public_key: key.publicKey } } }),
  ),

  rejects(noKey, 'no signatures', (room) => thirdParty(room, { invite: { signed: { mxid: carol, token } } })),
  rejects(noKey, 'signatures that are none', (room) =>
    thirdParty(room, { invite: { signed: { mxid: carol, token, signatures: { [identity]: 'none' } } } }),
  ),
  rejects(noKey, 'a signature over something else', (room) =>
    thirdParty(room, { invite: { signed: { ...signed(), more: 1 } } }),
  ),
  rejects(noKey, 'a signature under the name of another algorithm', (room) => {
    const other = signJson({ mxid: carol, token }, identity, { ...key, keyId: 'rsa:1' });
    return thirdParty(room, { invite: { signed: other } });
  }),
  rejects(noKey, 'more signatures than anybody would look at', (room) => {
    const junk = encodeBase64(Buffer.concat([seed('a'), Buffer.alloc(32)]));
    const signatures: JsonObject = {};
    for (let i = 0; i < 400; i += 1) signatures[`ed25519:${i}`] = junk;
    const many = { mxid: carol, token, signatures: { [identity]: signatures } };
    return thirdParty(room, { invite: { signed: signJson(many, 'z.test', key) } });
  }),
];

export const inviteCases: readonly AuthCase[] = [
  ...thirdPartyCases,
  rejects(rule('4.4.2', '5.4.2'), 'by somebody who is not in the room', (room) =>
    room.judge(room.memberEvent('@dave:three.test', 'invite', {}, carol)),
  ),
  rejects(rule('4.4.2', '5.4.2'), 'by a creator who has left', (room) => {
    room.member(alice, 'leave');
    return room.judge(room.memberEvent(carol, 'invite', {}, alice));
  }),
  passes(rule('4.4.2', '5.4.2'), rule('4.4.4', '5.4.4'), 'by a member', (room) =>
    room.judge(room.memberEvent(carol, 'invite', {}, bob)),
  ),
  rejects(rule('4.4.3', '5.4.3'), 'of somebody who is joined', (room) =>
    room.judge(room.memberEvent(bob, 'invite', {}, alice)),
  ),
  rejects(rule('4.4.3', '5.4.3'), 'of somebody banned', (room) => {
    room.member(carol, 'ban', alice);
    return room.judge(room.memberEvent(carol, 'invite', {}, alice));
  }),
  ...['leave', 'invite', 'knock'].map((membership) =>
    passes(
      rule('4.4.3', '5.4.3'),
      rule('4.4.4', '5.4.4'),
      `of somebody whose membership is ${membership}`,
      (room) => {
        room.member(carol, membership);
        return room.judge(room.memberEvent(carol, 'invite', {}, mod));
      },
    ),
  ),
  allows(rule('4.4.4', '5.4.4'), 'by anybody joined: the invite level is 0 unless set', (room) =>
    room.judge(room.memberEvent(carol, 'invite', {}, bob)),
  ),
  allows(rule('4.4.4', '5.4.4'), 'by anybody joined, where the room has no power levels', (room) => {
    room.without('m.room.power_levels');
    return room.judge(room.memberEvent(carol, 'invite', {}, bob));
  }),
  allows(rule('4.4.4', '5.4.4'), 'by somebody of just the level', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), invite: 50 });
    return room.judge(room.memberEvent(carol, 'invite', {}, mod));
  }),
  allows({ '12': '5.4.4' }, 'by a creator, whatever the level', (room) => {
    room.powerLevels({ invite: Number.MAX_SAFE_INTEGER });
    return room.judge(room.memberEvent(carol, 'invite', {}, alice));
  }),
  misses(rule('4.4.4', '5.4.4'), rule('4.4.5', '5.4.5'), 'by somebody one level below', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), invite: 51 });
    return room.judge(room.memberEvent(carol, 'invite', {}, mod));
  }),
  rejects(rule('4.4.5', '5.4.5'), 'by somebody of a negative level', (room) => {
    room.powerLevels({ users: room.users({ [bob]: -1 }) });
    return room.judge(room.memberEvent(carol, 'invite', {}, bob));
  }),
  rejects({ '12': '5.4.5' }, 'by a member, where the level is the highest there is', () => {
    const room = new AuthRoom('12', { additional_creators: [bob] });
    room.powerLevels({ invite: Number.MAX_SAFE_INTEGER });
    return room.judge(room.memberEvent(carol, 'invite', {}, mod));
  }),
];
