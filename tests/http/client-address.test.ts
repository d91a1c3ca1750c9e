import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { clientAddress } from '../../http/client-address.ts';

/** A request as far as its address goes. */
function request(peer: string, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage;
}

describe('The address of a client', () => {
  const behind = clientAddress({ xForwarded: true, trustedProxies: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'] });

  it('is the peer where no proxy is configured, whatever it says of others', () => {
    const direct = clientAddress({ xForwarded: false, trustedProxies: ['127.0.0.1'] });
    assert.equal(direct(request('127.0.0.1', '203.0.113.9')), '127.0.0.1');
    assert.equal(direct(request('::ffff:192.0.2.4')), '192.0.2.4');
  });

  it('is what a trusted proxy says', () => {
    assert.equal(behind(request('127.0.0.1', '203.0.113.9')), '203.0.113.9');
    assert.equal(behind(request('::ffff:127.0.0.1', '2001:db8::7')), '2001:db8::7');
    assert.equal(behind(request('fd00::2', '203.0.113.9')), '203.0.113.9');
    assert.equal(behind(request('127.0.0.1')), '127.0.0.1');
  });

  it('is not what a stranger says', () => {
    assert.equal(behind(request('198.51.100.1', '203.0.113.9')), '198.51.100.1');
  });

  it('is the last one that is no proxy: what the client wrote before it is not believed', () => {
    assert.equal(behind(request('127.0.0.1', '1.2.3.4, 203.0.113.9, 10.1.2.3')), '203.0.113.9');
    assert.equal(behind(request('127.0.0.1', '10.9.9.9, 10.1.2.3')), '10.9.9.9');
  });

  it('is the proxy where the header is no address', () => {
    assert.equal(behind(request('127.0.0.1', 'unknown')), '127.0.0.1');
    assert.equal(behind(request('127.0.0.1', 'unknown, 10.1.2.3')), '10.1.2.3');
  });
});
