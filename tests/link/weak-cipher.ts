import { createDecipheriv } from 'node:crypto';
import { type CipherOptions, strictCipher, tagLength } from '../../federation/link/noise/cipher-state.ts';

/** Decrypts without looking at the tag: what a link would be whose records are not authenticated. */
export const unauthenticatedCipher: CipherOptions = {
  ...strictCipher,
  open: (key, nonce, ad, sealed) => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
    if (ad.length > 0) decipher.setAAD(ad);
    return decipher.update(sealed.subarray(0, sealed.length - tagLength));
  },
};
