import { lookup as systemLookup } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { connect as connectTcp, isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { isLoopbackHost, isPrivateAddress } from './private-address.ts';

export interface SocketTarget {
  readonly url: URL;
  readonly allowPrivateIp: boolean;
  /** PEM; replaces the system's authorities. */
  readonly ca: string | undefined;
  /** An HTTP proxy to go through (CONNECT), `http://HOST:PORT`; loopback addresses are dialled directly. */
  readonly proxyUrl: string | undefined;
  readonly timeoutMs: number;
}

type Connected = (error: Error | null, socket?: Duplex) => void;

/** Opens TCP, with TLS for `wss:`, to the target; the address is checked where it is resolved. */
export function openSocket(target: SocketTarget, done: Connected): Duplex | undefined {
  const host = target.url.hostname.replace(/^\[|\]$/g, '');
  const isSecure = target.url.protocol === 'wss:';
  const port = Number(target.url.port || (isSecure ? 443 : 80));
  const mayBePrivate = target.allowPrivateIp || isLoopbackHost(host);
  if (!mayBePrivate && isIP(host) !== 0 && isPrivateAddress(host)) {
    done(new PrivateAddress(host));
    return undefined;
  }
  const tls = {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
    ...(target.ca === undefined ? {} : { ca: target.ca }),
  };
  if (target.proxyUrl !== undefined && !isLoopbackHost(host)) {
    throughProxy(target.proxyUrl, `${target.url.hostname}:${port}`, target.timeoutMs, (error, socket) => {
      if (error !== null || socket === undefined) done(error);
      else done(null, isSecure ? connectTls({ ...tls, socket }) : socket);
    });
    return undefined;
  }
  const lookup = checkedLookup(mayBePrivate);
  return isSecure ? connectTls({ ...tls, port, lookup }) : connectTcp({ host, port, lookup });
}

class PrivateAddress extends Error {
  constructor(host: string) {
    super(`${host} is a private address, and the partner's entry does not allow it (allow_private_ip)`);
    this.name = 'PrivateAddress';
  }
}

/** Resolves and checks in one step, so that the address that is dialled is the one that was checked. */
function checkedLookup(mayBePrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    // Not every system resolves names below `localhost`.
    const name = isLoopbackHost(hostname) ? 'localhost' : hostname;
    systemLookup(name, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0);
        return;
      }
      const usable = mayBePrivate ? addresses : addresses.filter(({ address }) => !isPrivateAddress(address));
      const [first] = usable;
      if (first === undefined) callback(new PrivateAddress(hostname), '', 0);
      else if (options.all) callback(null, usable);
      else callback(null, first.address, first.family);
    });
  };
}

/** HTTP CONNECT (RFC 9110 §9.3.6). */
function throughProxy(proxyUrl: string, authority: string, timeoutMs: number, done: Connected): void {
  const proxy = new URL(proxyUrl);
  const credentials =
    proxy.username === ''
      ? undefined
      : `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const request = httpRequest({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || 80,
    method: 'CONNECT',
    path: authority,
    headers: {
      host: authority,
      ...(credentials === undefined
        ? {}
        : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
    },
    agent: false,
    timeout: timeoutMs,
  });
  request.on('connect', (response, socket) => {
    if (response.statusCode === 200) done(null, socket);
    else {
      socket.destroy();
      done(new Error(`The proxy answered ${response.statusCode}`));
    }
  });
  request.on('timeout', () => request.destroy(new Error('The proxy did not answer')));
  request.on('response', (response) => {
    response.destroy();
    done(new Error(`The proxy answered ${response.statusCode}`));
  });
  request.on('error', (error) => done(error));
  request.end();
}
