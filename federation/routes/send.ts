import type { FederationRoute } from './route.ts';

/** A transaction of the link is at most 4 MiB. */
const maxTransactionBytes = 4 * 1024 * 1024;

/** Transactions: `PUT /_matrix/federation/v1/send/{txnId}`. The answer means: staged on disk. */
export const send: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v1/send/:txnId',
  maxBodyBytes: maxTransactionBytes,
  async handle(request, { inbound }) {
    const answer = await inbound.takeTransaction({
      origin: request.origin,
      txnId: request.param('txnId'),
      headers: request.headers,
      body: request.bytes(),
    });
    return { response: answer };
  },
};
