import assert from 'node:assert/strict';
import { authorizationHeader, parseAuthorization, verifyRequest } from '../../federation/x-matrix.ts';
import { generateSigningKey } from '../../protocol/signing.ts';
import { random } from './support.ts';

const key = generateSigningKey('ed25519:1', random);
const request = { method: 'PUT', uri: '/a?b=c', origin: 'acme.test:8448', destination: 'bolt.test' };

describe('X-Matrix authorization', () => {
  it('is read as it was written, and its signature verifies', () => {
    for (const signed of [request, { ...request, content: { x: [1, 'ü'] } }]) {
      const parsed = parseAuthorization(authorizationHeader(signed, key));
      assert.ok(parsed);
      assert.deepEqual(
        [parsed.origin, parsed.destination, parsed.key],
        ['acme.test:8448', 'bolt.test', 'ed25519:1'],
      );
      assert.ok(verifyRequest(signed, parsed.sig, key.publicKey));
      for (const [name, value] of Object.entries({
        method: 'GET',
        uri: '/',
        origin: 'x',
        destination: 'y',
        content: {},
      }))
        assert.ok(!verifyRequest({ ...signed, [name]: value }, parsed.sig, key.publicKey), name);
    }
  });

  it('is read in every form that the specification allows', () => {
    const expected = { origin: 'a.test', destination: 'b.test', key: 'ed25519:1', sig: 'AbC' };
    for (const header of [
      'X-Matrix origin="a.test",destination="b.test",key="ed25519:1",sig="AbC"',
      'x-matrix   origin=a.test,destination=b.test,key=ed25519:1,sig=AbC',
      'X-Matrix sig="AbC" , KEY="ed25519:1",\tDestination="b.test",origin="a.test",new="thing"',
      'X-Matrix origin="a\\.test",destination="b.test",key="ed25519:\\1",sig="AbC"',
    ])
      assert.deepEqual(parseAuthorization(header), expected, header);
  });

  it('is refused in any other form', () => {
    for (const header of [
      '',
      'Bearer abc',
      'X-Matrix',
      'X-Matrix origin="a",destination="b",key="k"',
      'X-Matrix origin="a",origin="z",destination="b",key="k",sig="s"',
      'X-Matrix origin="a" destination="b" key="k" sig="s"',
      'X-Matrix origin="a,destination="b",key="k",sig="s"',
      'X-Matrix origin="",destination="b",key="k",sig="s"',
      `X-Matrix origin="${'a'.repeat(5000)}",destination="b",key="k",sig="s"`,
    ])
      assert.equal(parseAuthorization(header), undefined, header);
  });
});
