import assert from 'node:assert/strict';
import {
  isMxcUri,
  isValidEventId,
  isValidLocalpart,
  isValidRoomId,
  isValidServerName,
  parseRoomAlias,
  parseUserId,
  serverNameOf,
} from '../../protocol/identifiers.ts';

const hash = 'Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ';

/** An identifier of exactly so many bytes, of which each character of the localpart has two. */
function ofBytes(sigil: string, bytes: number, server: string): string {
  const rest = bytes - sigil.length - 1 - server.length;
  return `${sigil}${'é'.repeat(Math.floor(rest / 2))}${rest % 2 === 1 ? 'x' : ''}:${server}`;
}

describe('A server name', () => {
  const valid = [
    'matrix.org',
    'matrix.org:8888',
    '1.2.3.4',
    '1.2.3.4:1234',
    '[1234:5678::abcd]',
    '[1234:5678::abcd]:5678',
    'localhost:8008',
    'ACME.Test',
    'a-b.acme.test',
    '[::]',
    '[::1]',
    '[1::]',
    '[1:2:3:4:5:6:7:8]',
    '[1:2:3:4:5:6:7::]',
    '[::2:3:4:5:6:7:8]',
    '[::ffff:192.0.2.1]:8448',
    '[1:2:3:4:5:6:192.0.2.1]',
    // In the grammar, as a DNS name.
    '300.1.1.1',
    `${'a'.repeat(251)}.org`,
    'a:0',
    'a:99999',
  ];
  for (const name of valid) {
    it(`may be ${name.length > 60 ? `one of ${name.length} characters` : name}`, () => {
      assert.ok(isValidServerName(name));
    });
  }

  const invalid: readonly (readonly [string, string])[] = [
    ['', 'empty'],
    ['a_b.test', 'an underscore'],
    ['acme.test:', 'a port without digits'],
    ['acme.test:123456', 'a port of six digits'],
    ['acme.test:80a', 'a port that is no number'],
    ['acme.test:1:2', 'two ports'],
    [':8448', 'a port alone'],
    ['acme test', 'a space'],
    ['acme.test\n', 'a line end'],
    ['bücher.test', 'letters beyond ASCII'],
    ['https://acme.test', 'a URL'],
    ['@ann:acme.test', 'a user id'],
    [`${'a'.repeat(252)}.org`, '256 characters'],
    ['::1', 'an IPv6 address without brackets'],
    ['[::1', 'a bracket that is not closed'],
    ['[1]', 'too short for IPv6'],
    ['[1:2:3:4:5:6:7]', 'seven groups'],
    ['[1:2:3:4:5:6:7:8:9]', 'nine groups'],
    ['[1:2:3:4:5:6:7:8::]', 'eight groups and ::'],
    ['[1::2::3]', 'twice ::'],
    ['[:::]', 'three colons'],
    ['[:1:2:3:4:5:6:7]', 'a single colon in front'],
    ['[12345::]', 'a group of five digits'],
    ['[g::]', 'a digit that is none'],
    ['[::ffff:192.0.2.256]', 'an IPv4 part above 255'],
    ['[::192.0.2]', 'an IPv4 part of three numbers'],
    ['[192.0.2.1::]', 'an IPv4 part that is not last'],
    ['[1:2:3:4:5:6:7:192.0.2.1]', 'an IPv4 part that is too much'],
    ['[fe80::1%eth0]', 'a zone'],
  ];
  for (const [name, why] of invalid) {
    it(`must not be ${JSON.stringify(name.slice(0, 40))} (${why})`, () => {
      assert.equal(isValidServerName(name), false);
    });
  }
});

describe('A user id', () => {
  it('is taken apart at its first colon', () => {
    assert.deepEqual(parseUserId('@ann:acme.test:8448'), { localpart: 'ann', serverName: 'acme.test:8448' });
    assert.deepEqual(parseUserId('@ann:[::1]:8448'), { localpart: 'ann', serverName: '[::1]:8448' });
  });

  it('of the historical grammar is taken: any code points, control characters, nothing at all', () => {
    for (const localpart of ['', 'Ann', 'a b', 'Grüße', '\u{1f600}', '\u0007', '!$#%', '@ann'])
      assert.deepEqual(parseUserId(`@${localpart}:acme.test`), { localpart, serverName: 'acme.test' });
  });

  it('is none without sigil, colon or valid server, with a NUL or half of a surrogate pair', () => {
    const wrong = [
      '',
      '@',
      '@:',
      'ann:acme.test',
      '#ann:acme.test',
      '@ann',
      '@ann:',
      '@ann:acme_test',
      '@a\0b:acme.test',
      '@a\ud83d:acme.test',
      '@ann:acme.test ',
    ];
    for (const text of wrong) assert.equal(parseUserId(text), undefined, JSON.stringify(text));
  });

  it('has at most 255 bytes, not characters', () => {
    assert.ok(parseUserId(ofBytes('@', 255, 'acme.test')));
    assert.equal(parseUserId(ofBytes('@', 256, 'acme.test')), undefined);
  });

  it('of a new user has a localpart of few characters, and of one at least', () => {
    for (const localpart of ['ann', 'a.b_c=d-e/f+g', '0', 'a=20b']) assert.ok(isValidLocalpart(localpart));
    for (const localpart of ['', 'Ann', 'a b', 'ä', 'a:b', 'a@b', 'a*', 'ann\n'])
      assert.equal(isValidLocalpart(localpart), false, localpart);
  });
});

describe('A room alias', () => {
  it('is taken apart, whatever code points its name has', () => {
    assert.deepEqual(parseRoomAlias('#Büro 7:acme.test'), { localpart: 'Büro 7', serverName: 'acme.test' });
  });

  it('is none with another sigil, with a NUL, or of more than 255 bytes', () => {
    for (const text of ['@a:acme.test', '#a', '#a\0:acme.test', ofBytes('#', 256, 'acme.test')])
      assert.equal(parseRoomAlias(text), undefined);
    assert.ok(parseRoomAlias(ofBytes('#', 255, 'acme.test')));
  });
});

describe('A room id', () => {
  it('names the server that made it, or is a hash as in version 12', () => {
    for (const id of ['!x:acme.test', '!x:[::1]:8448', '!Zürich \u{1f600}:acme.test', `!${hash}`])
      assert.ok(isValidRoomId(id), id);
  });

  it('without a server has the 43 digits of a hash, no more, no fewer, no others', () => {
    for (const id of [
      '!',
      '!x',
      `!${hash.slice(1)}`,
      `!${hash}A`,
      `!${hash.slice(1)}+`,
      `!${hash}=`,
      `!${hash}\n`,
    ])
      assert.equal(isValidRoomId(id), false, id);
  });

  it('is none with an invalid server, no name, a NUL, half of a surrogate pair, or another sigil', () => {
    for (const id of [
      '!x:',
      '!:acme.test',
      '!x:acme_test',
      '!x\0y:acme.test',
      '!\udc00:acme.test',
      '#x:acme.test',
    ])
      assert.equal(isValidRoomId(id), false, JSON.stringify(id));
  });

  it('has at most 255 bytes', () => {
    assert.ok(isValidRoomId(ofBytes('!', 255, 'acme.test')));
    assert.equal(isValidRoomId(ofBytes('!', 256, 'acme.test')), false);
  });
});

describe('An event id', () => {
  it('is opaque behind its sigil', () => {
    for (const id of [`$${hash}`, '$x', '$x:acme.test', '$\u{1f600}']) assert.ok(isValidEventId(id), id);
    for (const id of ['', '$', 'x', `!${hash}`, '$a\0b', '$\ud800'])
      assert.equal(isValidEventId(id), false, id);
  });

  it('has at most 255 bytes', () => {
    assert.ok(isValidEventId(`$${'é'.repeat(127)}`));
    assert.equal(isValidEventId(`$${'é'.repeat(127)}x`), false);
  });
});

describe('An mxc URI', () => {
  it('names a server and a medium of few characters', () => {
    for (const uri of ['mxc://acme.test/a-B_9', 'mxc://acme.test:8448/x', 'mxc://[::1]/x'])
      assert.ok(isMxcUri(uri), uri);
    for (const uri of [
      '',
      'mxc://acme.test',
      'mxc://acme.test/',
      'mxc:///x',
      'mxc://a_b/x',
      'mxc://acme.test/a/b',
      'mxc://acme.test/a.b',
      'mxc://acme.test/../x',
      'https://acme.test/x',
      'mxc://acme.test/x\n',
    ])
      assert.equal(isMxcUri(uri), false, uri);
  });
});

describe('The server of an identifier', () => {
  it('stands behind the first colon; a room id of version 12 has none', () => {
    assert.equal(serverNameOf('@ann:acme.test:8448'), 'acme.test:8448');
    assert.equal(serverNameOf(`!${hash}`), '');
  });
});
