// openid-client as an OpenID client of people, in two steps: register, begin a
// sign-in and a device; then finish both, ask who it is, refresh, and sign out.
// What it gets it checks as strictly as it can, ID tokens by their signatures.
import * as oauth from 'openid-client';
import { report } from './input.mjs';

const options = { execute: [oauth.allowInsecureRequests], algorithm: 'oidc' };
const state = 'st&te= %';
const maxAge = 300;
const methods = {
  none: () => oauth.None(),
  client_secret_basic: secret => oauth.ClientSecretBasic(secret),
  client_secret_post: secret => oauth.ClientSecretPost(secret),
};

async function begin({ issuer, method, redirect, goodbye, resource, scope, details }, found) {
  const config = await oauth.dynamicClientRegistration(new URL(issuer), {
    client_name: 'Flows', application_type: 'native', token_endpoint_auth_method: method,
    redirect_uris: [redirect], post_logout_redirect_uris: [goodbye],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  }, undefined, options);
  const { client_id: id, client_secret: secret } = config.clientMetadata();
  found.client = { id, secret: secret ?? '' };
  found.verifier = oauth.randomPKCECodeVerifier();
  found.nonce = oauth.randomNonce();
  found.url = oauth.buildAuthorizationUrl(config, {
    redirect_uri: redirect, resource, scope, state, nonce: found.nonce, max_age: String(maxAge), authorization_details: details,
    code_challenge: await oauth.calculatePKCECodeChallenge(found.verifier), code_challenge_method: 'S256',
  }).href;
  found.device = await oauth.initiateDeviceAuthorization(config, { resource, scope });
}

// who is what an answer says of the person, and userinfo agrees with.
async function who(config, answer, proof) {
  const claims = answer.claims();
  const info = await oauth.fetchUserInfo(config, answer.access_token, claims.sub, proof);
  return { type: answer.token_type, sub: claims.sub, acr: claims.acr, hash: Boolean(claims.at_hash), name: info.preferred_username };
}

async function finish(input, found) {
  const { client } = input;
  const config = await oauth.discovery(new URL(input.issuer), client.id, undefined, methods[input.method](client.secret), options);
  oauth.enableNonRepudiationChecks(config);
  const proof = input.bound ? { DPoP: oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair('ES256')) } : undefined;

  const checks = { pkceCodeVerifier: input.verifier, expectedState: state, expectedNonce: input.nonce, maxAge, idTokenExpected: true };
  const first = await oauth.authorizationCodeGrant(config, new URL(input.back), checks, undefined, proof);
  found.code = await who(config, first, proof);
  found.details = first.authorization_details;

  const next = await oauth.refreshTokenGrant(config, first.refresh_token, undefined, proof);
  found.refreshed = { type: next.token_type, scope: next.scope };
  await oauth.tokenRevocation(config, next.refresh_token ?? first.refresh_token);
  found.revoked = await oauth.fetchUserInfo(config, next.access_token, oauth.skipSubjectCheck, proof).then(() => 'alive', error => error.status);

  found.device = await who(config, await oauth.pollDeviceAuthorizationGrant(config, input.device, undefined, proof), proof);
  found.logout = oauth.buildEndSessionUrl(config, { id_token_hint: first.id_token, post_logout_redirect_uri: input.goodbye, state }).href;
}

await report(async (input, found) => (input.back ? finish(input, found) : begin(input, found)));
