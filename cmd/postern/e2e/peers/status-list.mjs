// A resource server asks the issuer's status lists about access tokens, with
// jose and Node's own zlib.
import { inflateSync } from 'node:zlib';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { report } from './input.mjs';

const keysOf = async (issuer) => {
  const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
  return createRemoteJWKSet(new URL(metadata.jwks_uri));
};

// statusOf is the value at the token's index (draft-ietf-oauth-status-list §8.3).
async function statusOf(token, keys) {
  const { uri, idx } = decodeJwt(token).status.status_list;
  const response = await fetch(uri, { headers: { accept: 'application/statuslist+jwt' } });
  const { payload } = await jwtVerify(await response.text(), keys, {
    subject: uri, typ: 'statuslist+jwt', algorithms: ['ES256'], requiredClaims: ['iat', 'exp'],
  });
  const { bits, lst } = payload.status_list;
  const list = inflateSync(Buffer.from(lst, 'base64url'));
  return { media: response.headers.get('content-type'), ttl: payload.ttl, value: (list[(idx * bits) >> 3] >> ((idx * bits) & 7)) & ((1 << bits) - 1) };
}

await report(async ({ issuer, tokens }, findings) => {
  const keys = await keysOf(issuer);
  findings.statuses = {};
  for (const [name, token] of Object.entries(tokens)) findings.statuses[name] = await statusOf(token, keys);
});
