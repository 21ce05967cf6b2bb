// DPoP proofs (RFC 9449 §4.2) with nothing but node:crypto.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

const encode = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export class ProofKey {
  #pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #nonces = new Map(); // by origin: servers give their own

  proof(method, target, token) {
    const url = new URL(target);
    const { kty, crv, x, y } = this.#pair.publicKey.export({ format: 'jwk' });
    const claims = { jti: randomUUID(), htm: method, htu: `${url.origin}${url.pathname}`, iat: Math.floor(Date.now() / 1000) };
    if (token) claims.ath = createHash('sha256').update(token).digest('base64url');
    if (this.#nonces.has(url.origin)) claims.nonce = this.#nonces.get(url.origin);
    const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#pair.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  // learn keeps the nonce for the next proof and says whether there was one.
  learn(target, nonce) {
    if (nonce) this.#nonces.set(new URL(target).origin, nonce);
    return Boolean(nonce);
  }
}
