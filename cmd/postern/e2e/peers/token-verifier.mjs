// A resource server that knows the issuer's address and an algorithm, and
// verifies access tokens (RFC 9068 §4) with jose alone.
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { report } from './input.mjs';

await report(async ({ issuer, audience, algorithm, tokens }, findings) => {
  const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  findings.verified = {};
  for (const [name, token] of Object.entries(tokens)) {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer, audience, typ: 'at+jwt', algorithms: [algorithm], requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
      });
      findings.verified[name] = { subject: payload.sub, algorithm: protectedHeader.alg };
    } catch (error) {
      findings.verified[name] = { refused: error.code };
    }
  }
});
