// A resource server that knows an issuer's address, its own, and an algorithm,
// and judges calls with jose alone: access tokens as RFC 9068 §4 demands,
// proofs as RFC 9449 §4.3 and §7.1 do.
import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, createRemoteJWKSet, decodeProtectedHeader, EmbeddedJWK, jwtVerify } from 'jose';
import { report } from './input.mjs';

const refuse = why => { throw Object.assign(new Error(why), { code: why }); };

async function verifyToken(token, keys, { issuer, audience, algorithm }) {
  const { payload } = await jwtVerify(token, keys, {
    issuer, audience, typ: 'at+jwt', algorithms: [algorithm], clockTolerance: 0, maxTokenAge: '15m',
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
  });
  if (![payload.aud].flat().every(a => a === audience)) refuse('audiences');
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(payload.scope)) refuse('scope');
  for (const name of ['sub', 'client_id', 'jti']) if (typeof payload[name] !== 'string' || !payload[name]) refuse(name);
  return payload;
}

async function verifyProof(proof, token, { method, url }) {
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt', algorithms: ['ES256'], maxTokenAge: '5m', requiredClaims: ['jti', 'htm', 'htu', 'iat', 'ath'],
  });
  if (payload.htm !== method) refuse('htm');
  if (payload.htu !== url) refuse('htu');
  if (payload.ath !== createHash('sha256').update(token).digest('base64url')) refuse('ath');
  return calculateJwkThumbprint(protectedHeader.jwk, 'sha256');
}

async function judge(call, keys, seen, self) {
  const claims = await verifyToken(call.token, keys, { ...self, ...call.self });
  if (call.scheme === 'Bearer') {
    if (claims.cnf) refuse('bound');
    return claims;
  }
  if (!claims.cnf?.jkt) refuse('not bound');
  if (await verifyProof(call.proof, call.token, call) !== claims.cnf.jkt) refuse('jkt');
  if (seen.has(call.proof)) refuse('replay');
  seen.add(call.proof);
  return claims;
}

await report(async ({ issuer, audience, algorithm, calls }, findings) => {
  const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
  if (metadata.issuer !== issuer) refuse('issuer');
  const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
  const seen = new Set();
  findings.judged = {};
  for (const { name, ...call } of calls) {
    try {
      const claims = await judge(call, keys, seen, { issuer, audience, algorithm });
      findings.judged[name] = { subject: claims.sub, algorithm: decodeProtectedHeader(call.token).alg };
    } catch (error) {
      findings.judged[name] = { refused: error.claim ?? error.code };
    }
  }
});
