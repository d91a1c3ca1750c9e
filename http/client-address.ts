import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** The IP address of whoever sent a request. */
export type AddressOf = (request: IncomingMessage) => string;

/**
 * Whom a listener sees: its peer, or behind reverse proxies the last address of `X-Forwarded-For` that is not one of
 * the trusted proxies. What stands further left was written by whoever asks, and is not believed.
 */
export function clientAddress(listener: {
  readonly xForwarded: boolean;
  /** IP addresses, or ranges as `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[];
}): AddressOf {
  if (!listener.xForwarded) return peerAddress;
  const trusted = blockList(listener.trustedProxies);
  const isTrusted = (address: string): boolean =>
    isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (request) => {
    let address = peerAddress(request);
    // Node joins repeated headers with commas.
    const forwarded = request.headers['x-forwarded-for'];
    const hops = (Array.isArray(forwarded) ? forwarded.join() : (forwarded ?? '')).split(',');
    for (let hop = hops.pop(); hop !== undefined && isTrusted(address); hop = hops.pop()) {
      const named = unmapped(hop.trim());
      if (isIP(named) === 0) break;
      address = named;
    }
    return address;
  };
}

function peerAddress(request: IncomingMessage): string {
  return unmapped(request.socket.remoteAddress ?? '');
}

/** A socket that takes both families names IPv4 peers as `::ffff:192.0.2.1`. */
function unmapped(address: string): string {
  const match = /^::ffff:([0-9.]+)$/i.exec(address);
  return match?.[1] ?? address;
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
