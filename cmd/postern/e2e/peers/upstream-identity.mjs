// An upstream reads who calls, as docs/upstreams.md shows it, with jose.
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { report } from './input.mjs';

await report(async ({ proxy, audience, header }, findings) => {
  const keys = createRemoteJWKSet(new URL(`${proxy}/.well-known/postern/jwks.json`));
  const { payload } = await jwtVerify(header, keys, { issuer: proxy, audience, typ: 'postern-identity+jwt', algorithms: ['ES256'] });
  findings.claims = payload;
});
