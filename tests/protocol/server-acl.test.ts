import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { isAllowedByAcl } from '../../protocol/server-acl.ts';

const everyone = { allow: ['*'] };

interface AclCase {
  readonly name: string;
  readonly acl: JsonObject | undefined;
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
}

const ipLiterals = ['1.2.3.4', '1.2.3.4:8448', '[::1]', '[::1]:8448', '[2001:db8::1]', '001.002.003.004'];

const cases: readonly AclCase[] = [
  { name: '1. without an ACL everybody', acl: undefined, allowed: ['acme.test', ...ipLiterals] },
  {
    name: '2. no IP literals where allow_ip_literals is false',
    acl: { ...everyone, allow_ip_literals: false },
    allowed: ['acme.test', 'acme.test:8448', '1.2.3', '1.2.3.4.test', 'x1.2.3.4'],
    denied: ipLiterals,
  },
  {
    name: '2. no IP literals then, though they are on the list',
    acl: { allow: ['1.2.3.4', '[::1]'], allow_ip_literals: false },
    denied: ipLiterals,
  },
  {
    name: 'IP literals where allow_ip_literals is true',
    acl: { ...everyone, allow_ip_literals: true },
    allowed: ipLiterals,
  },
  { name: 'IP literals where allow_ip_literals is missing', acl: everyone, allowed: ipLiterals },
  {
    name: 'IP literals where allow_ip_literals is no boolean',
    acl: { ...everyone, allow_ip_literals: 'false' },
    allowed: ipLiterals,
  },
  {
    name: 'IP literals where allow_ip_literals is null',
    acl: { ...everyone, allow_ip_literals: null },
    allowed: ipLiterals,
  },
  {
    name: '3. nobody who is on both lists',
    acl: { allow: ['*', 'evil.test'], deny: ['evil.test'] },
    allowed: ['acme.test'],
    denied: ['evil.test'],
  },
  {
    name: '3. nobody where all are denied',
    acl: { allow: ['acme.test'], deny: ['*'] },
    denied: ['acme.test', '1.2.3.4'],
  },
  {
    name: '3. no IP literal that is denied',
    acl: { allow: ['*'], deny: ['1.2.*', '[2001:db8:*]'] },
    allowed: ['1.3.3.4'],
    denied: ['1.2.3.4', '[2001:db8::1]:1'],
  },
  {
    name: '4. who is on the list',
    acl: { allow: ['acme.test', 'bolt.test'] },
    allowed: ['acme.test', 'bolt.test'],
    denied: ['cork.test', 'acme.test.evil', 'xacme.test', ''],
  },
  {
    name: '5. nobody where the list is empty',
    acl: { allow: [], deny: [] },
    denied: ['acme.test', '1.2.3.4'],
  },
  {
    name: '5. nobody where there is no list',
    acl: { deny: ['evil.test'] },
    denied: ['acme.test', 'evil.test'],
  },
  { name: '5. nobody by an ACL that was redacted', acl: {}, denied: ['acme.test'] },
  { name: 'nobody where allow is no list', acl: { allow: '*' }, denied: ['acme.test'] },
  { name: 'what deny that is no list cannot deny', acl: { allow: ['*'], deny: '*' }, allowed: ['acme.test'] },
  {
    name: 'by the texts of a list in which there is more',
    acl: { allow: [null, 1, ['*'], { a: '*' }, 'acme.test'], deny: [7, 'evil.test', {}] },
    allowed: ['acme.test'],
    denied: ['bolt.test', 'evil.test'],
  },
  {
    name: 'without regard to the port',
    acl: { allow: ['acme.test', '[::1]', '1.2.3.4'], deny: ['evil.test'] },
    allowed: ['acme.test:1', 'acme.test:8448', '[::1]:8448', '1.2.3.4:443'],
    denied: ['evil.test:8448'],
  },
  {
    name: 'by names that have no port: an entry with one matches nobody',
    acl: { allow: ['acme.test:8448'] },
    denied: ['acme.test:8448', 'acme.test'],
  },
  {
    name: 'without regard to case, on both sides',
    acl: { allow: ['ACME.test', '*.Bolt.Test'], deny: ['Evil.*'] },
    allowed: ['acme.TEST', 'Acme.Test', 'a.bolt.test', 'A.BOLT.TEST'],
    denied: ['eVIL.test'],
  },
  {
    name: 'by * for any run of characters, none included',
    acl: { allow: ['*.acme.test', 'bolt.*', 'c*k.test'] },
    allowed: ['a.acme.test', 'a.b.acme.test', '.acme.test', 'bolt.test', 'bolt.', 'cork.test', 'ck.test'],
    denied: ['acme.test', 'bolt', 'cork.test.evil'],
  },
  {
    name: 'by ? for exactly one character',
    acl: { allow: ['acme?.test', '??'] },
    allowed: ['acme1.test', 'acmex.test', 'ab'],
    denied: ['acme.test', 'acme12.test', 'a', 'abc'],
  },
  {
    name: 'by patterns, not by regular expressions',
    acl: { allow: ['a.me.test', 'b[ou]lt.test', '^c.*$', 'd+.test'] },
    allowed: ['a.me.test'],
    denied: ['acme.test', 'bolt.test', 'cork', 'dd.test'],
  },
];

describe('A server ACL', () => {
  for (const { name, acl, allowed = [], denied = [] } of cases) {
    it(`admits ${name}`, () => {
      for (const server of allowed) assert.equal(isAllowedByAcl(acl, server), true, `${server} is allowed`);
      for (const server of denied) assert.equal(isAllowedByAcl(acl, server), false, `${server} is denied`);
    });
  }

  it('is decided though its patterns are hostile: a matcher that goes back would never end', () => {
    const allow = [`${'*a'.repeat(30_000)}b`, `${'a*'.repeat(120)}b`, `${'?*'.repeat(200)}x`];
    assert.equal(isAllowedByAcl({ allow }, 'a'.repeat(250)), false);
    assert.equal(isAllowedByAcl({ allow: [...allow, '*'.repeat(60_000)] }, 'a'.repeat(250)), true);
  });
});
