// openid-client as a client that has keys and no secret, one step at a time:
// make its keys; push an authorization request; redeem what came back and use
// it; get a token of its own. Answers of introspection come signed, and are verified.
import * as oauth from 'openid-client';
import { exportJWK, generateKeyPair, importJWK } from 'jose';
import { report } from './input.mjs';

async function makeKey(alg) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const [secret, shown] = [await exportJWK(privateKey), await exportJWK(publicKey)];
  return { alg, kid: alg, secret: { ...secret, alg }, public: { ...shown, alg, kid: alg, use: 'sig' } };
}

async function configure({ issuer, clientID, key }, metadata) {
  const signer = { key: await importJWK(key.secret, key.alg), kid: key.kid };
  return oauth.discovery(new URL(issuer), clientID, metadata, oauth.PrivateKeyJwt(signer),
    { execute: [oauth.allowInsecureRequests], algorithm: 'oauth2' });
}

async function proofs(config, { secret, public: shown, alg }) {
  const [privateKey, publicKey] = [await importJWK(secret, alg), await importJWK(shown, alg, { extractable: true })];
  return { DPoP: oauth.getDPoPHandle(config, { privateKey, publicKey }) };
}

const steps = {
  async make({ algorithm }, found) {
    Object.assign(found, { key: await makeKey(algorithm), proof: await makeKey('ES256') });
  },

  async push(input, found) {
    const config = await configure(input);
    found.verifier = oauth.randomPKCECodeVerifier();
    const url = await oauth.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: input.redirect, resource: input.resource, scope: input.scope, state: 'st&te= %',
      code_challenge: await oauth.calculatePKCECodeChallenge(found.verifier), code_challenge_method: 'S256',
    }, await proofs(config, input.proof));
    found.url = url.href;
  },

  async redeem(input, found) {
    const config = await configure(input, { introspection_signed_response_alg: 'ES256' });
    oauth.enableNonRepudiationChecks(config);
    const proof = await proofs(config, input.proof);
    const checks = { pkceCodeVerifier: input.verifier, expectedState: 'st&te= %' };
    const first = await oauth.authorizationCodeGrant(config, new URL(input.back), checks, undefined, proof);
    const next = await oauth.refreshTokenGrant(config, first.refresh_token, undefined, proof);
    found.rotated = Boolean(next.refresh_token) && next.refresh_token !== first.refresh_token;
    found.tokenType = next.token_type;
    found.accessToken = next.access_token;
    found.introspected = await oauth.tokenIntrospection(config, next.access_token);
    await oauth.tokenRevocation(config, first.refresh_token);
    found.revoked = await oauth.tokenIntrospection(config, next.access_token);
  },

  async machine(input, found) {
    const config = await configure(input);
    const options = input.proof ? await proofs(config, input.proof) : {};
    const answer = await oauth.clientCredentialsGrant(config, { resource: input.resource }, options);
    found.tokenType = answer.token_type;
  },
};

await report(async (input, found) => steps[input.step](input, found));
